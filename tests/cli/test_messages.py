"""How much is said: --quiet, --verbose and --debug mean the same for every command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import pytest

from emodetect.cli.messages import detail, note, print_message, shows_progress
from emodetect.cli.options import COMMON_OPTIONS
from emodetect.system.native_output import is_debugging, quiet_native_output
from tests.builders import PHOTO, make_background, write_clip
from tests.cli.parsing import command_named, command_names, parse
from tests.cli.running import run


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_the_common_options(name: str) -> None:
    known = {option for parameter in command_named(name).params for option in parameter.opts}

    assert {f"--{option}" for option in COMMON_OPTIONS} <= known


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "a note\n"), (["--quiet"], ""), (["--verbose"], "a note\nemodetect: a detail\n")]
)
def test_notes_and_details(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with parse("live", *arguments):
        note("a note")
        detail("a detail")

    assert capsys.readouterr().err == said


def test_progress_is_for_terminals_and_not_for_the_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not shows_progress()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert shows_progress()
    with parse("live", "--quiet"):
        assert not shows_progress()


def test_quiet_and_verbose_cannot_be_combined() -> None:
    with pytest.raises(click.UsageError, match="cannot be combined"):
        parse("live", "--quiet", "--verbose")


def test_the_command_line_decides_between_quiet_and_verbose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMODETECT_QUIET", "1")
    with parse("live", "--verbose"):
        detail("a detail")

    assert capsys.readouterr().err == "emodetect: a detail\n"


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("false", False), ("", False)])
def test_the_variable_for_debugging(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMODETECT_DEBUG", value)

    assert is_debugging() is expected


def test_verbose_says_what_is_used_and_where_settings_come_from() -> None:
    done = run("image", PHOTO, "--verbose", env={"EMODETECT_MODEL": "ferplus", "EMODETECT_MIN_FACE": "5%"})

    assert done.returncode == 0
    for part in ("backend cnn: ferplus", "scale factor 1.1", "5 neighbors", "5% of the height", "512x512 pixels", "verifier:"):
        assert part in done.stderr
    assert "--model ferplus (from the variable EMODETECT_MODEL)" in done.stderr
    assert "--min-face 5% (from the variable EMODETECT_MIN_FACE)" in done.stderr


def test_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [make_background((160, 120))] * 3)

    fine, failing = run("video", clip, "--quiet"), run("image", PHOTO, "nowhere.jpg", "--quiet")

    assert (fine.returncode, fine.stderr) == (0, "")
    assert failing.returncode == 1
    assert "nowhere.jpg: no such file" in failing.stderr
    assert "happy" in failing.stdout


def test_a_line_is_said_while_another_thread_keeps_libraries_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_native_output():
        os.write(2, b"a library talks\n")
        print_message("emodetect: a note")
    print_message("emodetect: another")
    assert capfd.readouterr().err.splitlines() == ["emodetect: a note", "emodetect: another"]


def test_quiet_says_nothing_of_what_is_assumed_of_a_clip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [make_background((160, 120))] * 3)
    unusable: dict[str, str | None] = {"IMAGEIO_FFMPEG_EXE": str(tmp_path / "nowhere")}

    loud, quiet = run("video", clip, env=unusable), run("video", clip, "--quiet", env=unusable)

    assert "IMAGEIO_FFMPEG_EXE names" in loud.stderr
    assert (quiet.returncode, quiet.stderr) == (0, "")
