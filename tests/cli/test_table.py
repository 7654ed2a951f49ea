from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from emodetect.cli.table import name_cell, print_table
from emodetect.text.printable import width

HEADERS = ("state", "name", "what was found")
ROWS = [("ok", "[red]n.onnx", "words " * 12), ("fault", "東京", "one\ttwo\n[bold]three")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes standard output a terminal of so many columns."""

    def make(columns: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", "24")
        monkeypatch.setenv("TERM", "dumb")  # no colors
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    return make


def test_a_file_gets_a_line_a_row_and_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADERS, ROWS)

    assert capsys.readouterr().out.splitlines() == [
        "state  name         what was found",
        f"ok     [red]n.onnx  {' '.join(12 * ['words'])}",
        "fault  東京         one two [bold]three",
    ]


def test_a_terminal_folds_the_last_column(terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]) -> None:
    terminal(50)
    print_table(HEADERS, ROWS)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4
    assert max(map(width, lines)) <= 50
    assert "[red]n.onnx" in lines[1]
    assert "[bold]three" in lines[-1]


def test_a_narrow_terminal_gets_a_block_a_row(terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]) -> None:
    terminal(39)
    print_table(HEADERS, ROWS)

    assert capsys.readouterr().out.splitlines() == [
        "state: ok",
        "name: [red]n.onnx",
        f"what was found: {' '.join(12 * ['words'])}",
        "",
        "state: fault",
        "name: 東京",
        "what was found: one two [bold]three",
    ]


def test_without_rich_a_terminal_gets_what_a_file_gets(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_table(HEADERS, ROWS)
    plain = capsys.readouterr().out
    for module in ("rich.console", "rich.table", "rich.text"):
        monkeypatch.setitem(sys.modules, module, None)
    terminal(50)

    print_table(HEADERS, ROWS)

    assert capsys.readouterr().out == plain


def test_a_file_s_name_stays_whole() -> None:
    assert name_cell("token=abc123  x.jpg\n").plain == "token=abc123  x.jpg\\n"
