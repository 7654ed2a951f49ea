"""Secrets of addresses and control characters of names are shown nowhere, whatever option or file they come from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from emodetect.cli import main as program
from tests.builders import PHOTO, MovingClip
from tests.cli.desktop import open_desktop
from tests.cli.parsing import command_named, command_names
from tests.cli.running import command, environment, run, run_on_terminal
from tests.waiting import wait_until

ADDRESSES = [
    "rtsp://admin:S3CRET@127.0.0.1:1/live",
    "rtsp://admin:S3CRET x@127.0.0.1:1/live?token=S3CRET",
    "http://127.0.0.1:1/x?key=S3CRET&size=2",
    "rtmp://127.0.0.1:1/app/S3CRET",
    "http://127.0.0.1:1/user=admin&password=S3CRET.mjpg",
    "admin:S3CRET@127.0.0.1/live",
    "admin:S3CRET word@127.0.0.1:8080/live",
    "admin:12345 S3CRET@[::1]/x",
    "srt://127.0.0.1:1?passphrase=S3CRET",
    "https://S3CRET@example.invalid/x.jpg",
]

HOSTILE = "a\rb\x1b[31mc\x1b]0;title\x07\u202ed\x9b2Je"
"""A name with which a file clears the screen, colors it, renames the window, or looks like another."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, and no signal handlers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(program, "handle_signals", lambda: None)
    with patch.dict(os.environ):  # --debug and others pass themselves on by the environment
        yield tmp_path


def says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the program prints."""
    monkeypatch.setattr(sys, "argv", ["emodetect", *arguments])
    program._run()
    printed = capsys.readouterr()
    return printed.out + printed.err


def text_options(name: str) -> Iterator[click.Option]:
    for option in command_named(name).params:
        if isinstance(option, click.Option) and not option.is_flag:
            yield option


REQUIRED = {"video": ["none.mp4"], "image": ["none.jpg"], "report": ["none.jsonl"], "export": ["none.h5", "none.onnx"],
            "completion": ["bash"], "inspect": ["none.h5"], "evaluate": ["--data", "none"], "bench": ["--source", "none.mp4"],
            "live": ["--source", "none.mp4", "--no-window"],
            "serve": ["--certificate", "none.pem", "--key", "none.pem"]}  # fmt: skip


@pytest.mark.parametrize("name", command_names())
def test_no_option_shows_a_secret(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for option in text_options(name):
        for address in ADDRESSES:
            given = [f"{option.opts[0]}={address}", "--verbose"]
            said = says(monkeypatch, capsys, name, *REQUIRED.get(name, []), *given)
            assert "S3CRET" not in said, f"{given}: {said}"


@pytest.mark.parametrize("name", command_names())
def test_no_argument_shows_a_secret(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for address in ADDRESSES:
        for arguments in ([address], [address, address], [f"--{address}"]):
            said = says(monkeypatch, capsys, name, *arguments)
            assert "S3CRET" not in said, f"{arguments}: {said}"
    assert "S3CRET" not in says(monkeypatch, capsys, ADDRESSES[0])  # as a command


@pytest.mark.parametrize("output", [[], ["--format", "json"]])
def test_the_configuration_is_shown_without_secrets(
    output: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for address in ADDRESSES:
        (folder / "c.toml").write_text(f"model = {json.dumps(address)}\n[live]\nsource = {json.dumps(address)}\n")
        monkeypatch.setenv("EMODETECT_BACKEND", address)
        monkeypatch.setenv("EMODETECT_SORCE", address)
        assert "S3CRET" not in says(monkeypatch, capsys, "config", "--config", "c.toml", *output)
        assert "S3CRET" not in says(monkeypatch, capsys, "live", "--no-window", "--config", "c.toml", "--verbose")


@pytest.mark.parametrize("output", ["table", "json", "csv"])
@pytest.mark.parametrize("address", ADDRESSES[:6])
def test_a_photo_that_is_an_address(
    address: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "S3CRET" not in says(monkeypatch, capsys, "image", address, address, "--format", output)


def test_an_address_without_secrets_is_shown_as_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = says(monkeypatch, capsys, "image", "https://example.org/photos/a.jpg", "--format", "json")

    assert '"path": "https://example.org/photos/a.jpg"' in said
    assert "emodetect: https://example.org/photos/a.jpg: is an address" in said


def test_names_that_a_terminal_would_obey(
    folder: Path, moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, clip = f"{HOSTILE}.jpg", f"{HOSTILE}.mp4"
    shutil.copy(PHOTO, photo)
    shutil.copy(moving_clip.path, clip)
    (folder / f"{HOSTILE}.txt").write_text("text")
    outputs = [f"--log={HOSTILE}.csv", f"--report={HOSTILE}.html", f"--plot={HOSTILE}.svg"]
    said = [
        *(says(monkeypatch, capsys, "image", photo, f"{HOSTILE}.txt", "--format", kind) for kind in ("table", "json", "csv")),
        says(monkeypatch, capsys, "video", clip, "--end", "0.2", "--verbose", *outputs),
        says(monkeypatch, capsys, "live", "--source", clip, "--no-window", "--verbose", f"--log={HOSTILE}.jsonl"),
        says(monkeypatch, capsys, "report", f"{HOSTILE}.jsonl", "--clip", clip, "--overwrite", "--verbose"),
        says(monkeypatch, capsys, "evaluate", "--data", ".", "--model", f"{HOSTILE}.txt"),
        says(monkeypatch, capsys, HOSTILE),
        says(monkeypatch, capsys, "video", f"--{HOSTILE}"),
    ]
    files = [Path(f"{HOSTILE}{suffix}").read_text(encoding="utf-8") for suffix in (".csv", ".html", ".svg", ".jsonl")]

    for text in (*said, *files):
        assert text
        assert not {"\r", "\x1b", "\x07", "\u202e", "\x9b"} & set(text.replace(os.linesep, "\n"))


def test_names_that_a_terminal_would_obey_on_a_terminal(folder: Path) -> None:
    """With a progress bar, which is Rich's."""
    for number in range(5):
        shutil.copy(PHOTO, folder / f"{HOSTILE}{number}.jpg")

    shown = run_on_terminal("image", folder)

    for part in ("\x1b[31m", "\x1b]0;", "\x07", "\u202e", "\x9b"):
        assert part not in shown


def test_a_window_is_not_named_by_what_a_system_would_obey(folder: Path, moving_clip: MovingClip) -> None:
    shutil.copy(moving_clip.path, "e\x1bx.mp4")

    with open_desktop() as desktop:
        line = command("live", "--source", "e\x1bx.mp4", "--loop")
        with subprocess.Popen(line, env=environment({"DISPLAY": desktop.name}), stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: desktop.window(r"emodetect - e\\x1bx\.mp4"), "the window")
            finally:
                process.terminate()


def test_a_traceback_shows_no_secret() -> None:
    done = run("live", "--no-window", "--debug", "--source", ADDRESSES[1])

    assert "S3CRET" not in done.stdout + done.stderr
    assert "Traceback" in done.stderr
