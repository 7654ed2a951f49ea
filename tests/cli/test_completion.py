from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from emodetect.cli import COMPLETE_VARIABLE, cli
from tests.cli.running import TIMEOUT, environment, run
from tests.cli.test_main import HEAVY, modules_after


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
        (["image", "--model"], "fer2", ("plain", "fer2013")),
        (["image", "--model"], "my", ("file", "my")),
        (["bench", "--format"], "j", ("plain", "json")),
    ],
)
def test_commands_options_backends_and_names_are_completed(words: list[str], begun: str, answer: tuple[str, str]) -> None:
    found = BashComplete(cli, {}, "emodetect", COMPLETE_VARIABLE).get_completions(words, begun)

    assert [(item.type, item.value) for item in found] == [answer]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_the_documented_command(tmp_path: Path) -> None:
    program = tmp_path / "emodetect"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m emodetect "$@"\n')
    program.chmod(0o755)
    asked = "COMP_WORDS=(emodetect vid); COMP_CWORD=1; _emodetect_completion emodetect"
    script = f'eval "$(emodetect completion bash)"; {asked}; echo "$COMPREPLY"'
    path = {"PATH": f"{tmp_path}:{environment()['PATH']}"}

    done = subprocess.run(
        ["bash", "-c", script], env=environment(path), capture_output=True, text=True, timeout=TIMEOUT, check=True
    )

    assert done.stdout == "video\n"


def test_completion_needs_nothing_but_click() -> None:
    assert modules_after("completion", "bash").isdisjoint({*HEAVY, "numpy", "cv2", "onnxruntime", "scipy", "rich"})
