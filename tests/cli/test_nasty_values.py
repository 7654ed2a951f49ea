"""Values that no option expects: each is refused in one line or works; none is an "unexpected" error or a traceback."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from emodetect.cli import main as program
from emodetect.errors import EmodetectError
from tests.builders import PHOTO, make_background, write_clip
from tests.cli.parsing import command_names, options, parse
from tests.training.data_sets import write_data_set

NASTY = [
    "nan", "-nan", "inf", "-inf", "Infinity", "1e400", "1e308", "-1e308", "1e-400", "-1", "-0", "0", "0.0", "1", "9" * 30,
    "9" * 5000, "", " ", "x" * 5000, "٣", "1_0", "0x10", "1,5", "%", "nan%", "inf%", "1e400%", "--", "\udcff", "a\nb", "\x1b[31m",
    "inf,0,1,1", "1e308,1e308,1e308,1e308", "nan,nan,nan,nan", "-1,-1,-1,-1", "0,0,0,0", "99:99:99", "9999999999:00:00",
    "http://u:p@h/x?token=t", "/dev/null", "/dev/full", "/nowhere/x.png", "~", "..",
]  # fmt: skip
"""What is tried for every option of every command."""

ARGUMENTS = {"image": ["a.jpg"], "video": ["c.mp4"], "report": ["l.jsonl"], "export": ["m.h5", "m.onnx"], "completion": ["bash"],
             "inspect": ["m.h5"]}  # fmt: skip

REFUSED = (click.ClickException, click.exceptions.Exit, EmodetectError)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with what the arguments name."""
    shutil.copy(PHOTO, tmp_path / "a.jpg")
    write_clip(tmp_path / "c.mp4", [make_background((160, 120))] * 3)
    (tmp_path / "l.jsonl").write_text('{"frame": 0, "time": 0.0, "faces": []}\n{"frame": 1, "time": 0.1, "faces": []}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with patch.dict(os.environ):  # --max-pixels and --debug pass themselves on by the environment
        yield tmp_path


def with_values() -> Iterator[tuple[str, click.Option]]:
    """Every option that takes a value."""
    for name, option in options():
        if not option.is_flag:
            yield name, option


@pytest.mark.parametrize("name", command_names())
def test_every_value_is_taken_or_refused_when_it_is_read(name: str) -> None:
    for command, option in with_values():
        if command == name:
            for value in NASTY:
                try:
                    parse(name, *ARGUMENTS.get(name, []), f"{option.opts[0]}={value}")
                except REFUSED:
                    continue
                except Exception as error:
                    pytest.fail(f"{name} {option.opts[0]} {value[:50]!r}: {type(error).__name__}: {error}")


RUN = {
    "image": ["a.jpg"],
    "video": ["c.mp4"],
    "batch": ["none*.jpg", "--output", "results", "--overwrite"],
    "report": ["l.jsonl", "--overwrite"],
    "live": ["--source", "c.mp4", "--no-window", "--log", "/dev/null"],
    "evaluate": ["--data", "faces"],
    "export": ["m.h5", "m.onnx"],
    "train": [],
    "bench": ["--source", "nowhere.mp4"],
}
"""Command lines to which each option is added with each value that passed the first look."""

NOT_RUN = {"--source", "--font", "--cascade", "--config", "--run-dir", "--resume"}
"""Options whose values are names that other tests try, and a camera's number, which would open it."""


@pytest.mark.parametrize("name", RUN)
def test_every_value_that_is_taken_works_or_is_refused_when_it_is_used(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "handle_signals", lambda: None)
    write_data_set(folder, train=0, test=1)
    (folder / "test").rename(folder / "faces")
    for command, option in with_values():
        if command != name or option.opts[0] in NOT_RUN or (name == "train" and option.opts[0] == "--data"):
            continue
        for value in NASTY:
            if name == "evaluate" and value == "/dev/full":  # endless
                continue
            line = [*RUN[name], f"{option.opts[0]}={value}"]
            try:
                parse(name, *line)
            except REFUSED:
                continue
            monkeypatch.setattr(sys, "argv", ["emodetect", name, *line])
            code = program._run()
            said = capsys.readouterr().err
            assert code in (0, 1, 2), line
            assert not re.search(r"--debug shows|Traceback", said), f"{line}: {said}"
