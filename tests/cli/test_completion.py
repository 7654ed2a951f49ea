from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from emodetect.cli.group import COMPLETE_VARIABLE, cli
from emodetect.sources.camera_list import Camera
from tests.cli.running import TIMEOUT, assert_one_line, environment, run
from tests.cli.test_main import HEAVY, modules_after
from tests.waiting import wait_until


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_understands(shell: str) -> None:
    done = run("completion", shell)

    assert done.returncode == 0
    assert "_EMODETECT_COMPLETE" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True, timeout=TIMEOUT)


def test_an_unknown_shell_is_misuse_and_the_known_ones_are_listed() -> None:
    done = run("completion", "csh")

    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


@pytest.mark.parametrize(
    ("words", "begun", "answer"),
    [
        ([], "li", ("plain", "live")),
        (["live"], "--bac", ("plain", "--backend")),
        (["live", "--backend"], "d", ("plain", "deepface")),
        (["image", "--model"], "my", ("file", "my")),
        (["image", "--output"], "my", ("file", "my")),
        (["live", "--source"], "my", ("file", "my")),
        (["bench", "--format"], "j", ("plain", "json")),
        (["bench", "--backend"], "d", ("plain", "deepface")),
        (["evaluate", "--backend"], "d", ("plain", "deepface")),
    ],
)
def test_commands_options_backends_and_names_are_completed(words: list[str], begun: str, answer: tuple[str, str]) -> None:
    found = BashComplete(cli, {}, "emodetect", COMPLETE_VARIABLE).get_completions(words, begun)

    assert [(item.type, item.value) for item in found] == [answer]


@pytest.mark.parametrize("command", ["image", "live", "bench", "evaluate"])
def test_names_of_networks_are_completed_beside_files(command: str) -> None:
    found = BashComplete(cli, {}, "emodetect", COMPLETE_VARIABLE).get_completions([command, "--model"], "fer2")

    assert [(item.type, item.value) for item in found] == [("file", "fer2"), ("plain", "fer2013")]


def test_cameras_are_completed_by_number_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.sources.camera_list.list_cameras", lambda: [Camera(2, "USB Camera", "V4L2", 202)])
    complete = BashComplete(cli, {}, "emodetect", COMPLETE_VARIABLE).get_completions

    assert [item.value for item in complete(["live", "--source"], "")] == ["", "2", "USB Camera"]
    assert [item.value for item in complete(["live", "--source"], "U")] == ["U", "USB Camera"]


@pytest.fixture
def on_the_path(tmp_path: Path) -> dict[str, str | None]:
    """The environment in which a shell finds the program by its name."""
    program = tmp_path / "emodetect"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m emodetect "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{environment()['PATH']}"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "answer"), [("vid", "video"), ("image --format = js", "json jsonl"), ("image --format =", "table json jsonl csv")]
)
def test_bash_completes_with_the_documented_command(words: str, answer: str, on_the_path: dict[str, str | None]) -> None:
    asked = f"COMP_WORDS=(emodetect {words}); COMP_CWORD={len(words.split())}; _emodetect_completion emodetect"
    script = f'eval "$(emodetect completion bash)"; {asked}; echo "${{COMPREPLY[@]}}"'

    done = subprocess.run(
        ["bash", "-c", script], env=environment(on_the_path), capture_output=True, text=True, timeout=TIMEOUT, check=True
    )

    assert done.stdout == f"{answer}\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_shows_whole_descriptions(on_the_path: dict[str, str | None]) -> None:
    script = 'emodetect completion fish | source; complete -C "emodetect doc"'

    done = subprocess.run(
        ["fish", "-c", script], env=environment(on_the_path), capture_output=True, text=True, timeout=TIMEOUT, check=True
    )

    assert done.stdout == "doctor\tCheck the installation and print solutions.\n"


@pytest.mark.skipif(shutil.which("zsh") is None or shutil.which("tmux") is None, reason="there is no zsh, or no tmux")
def test_zsh_leaves_the_option_before_a_value_alone(on_the_path: dict[str, str | None], tmp_path: Path) -> None:
    """In a real terminal: what stands on the line after Tab."""

    def tmux(*arguments: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null", *arguments]
        return subprocess.run(
            command, env=environment(on_the_path), capture_output=True, text=True, timeout=TIMEOUT, check=True
        ).stdout

    tmux("new-session", "-d", "-x", "100", "-y", "10", "zsh -f")
    try:
        tmux("send-keys", "-l", 'autoload -U compinit; compinit -u; eval "$(emodetect completion zsh)"; PS1="> "; clear')
        tmux("send-keys", "Enter")
        wait_until(lambda: tmux("capture-pane", "-p").strip() == ">", "the prompt", every=0.2)
        tmux("send-keys", "-l", "emodetect image --format=js")
        tmux("send-keys", "Tab")
        wait_until(lambda: "json" in tmux("capture-pane", "-p"), "the value", every=0.2)
        assert tmux("capture-pane", "-p").strip() == "> emodetect image --format=json"
    finally:
        tmux("kill-server")


def test_completion_needs_nothing_but_click() -> None:
    assert modules_after("completion", "bash").isdisjoint({*HEAVY, "numpy", "cv2", "onnxruntime", "scipy", "rich"})


@pytest.mark.parametrize("place", [None, "xyz", "-1", "9" * 20, "٣"])
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_no_shell_asks_is_refused_in_a_line(shell: str, place: str | None) -> None:
    words = None if place is None else "emodetect "

    done = run(env={COMPLETE_VARIABLE: f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": place})

    assert_one_line(done, 2, "COMP_WORDS and COMP_CWORD")


@pytest.mark.parametrize("asked", ["foo", "bash", "bash_foo", "foo_complete", "tcsh_source"])
def test_an_unknown_request_is_refused_in_a_line(asked: str) -> None:
    done = run("--version", env={COMPLETE_VARIABLE: asked})

    assert_one_line(done, 2, f"_EMODETECT_COMPLETE is '{asked}': shells set it to bash, zsh or fish")
    assert done.stdout == ""
