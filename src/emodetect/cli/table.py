"""Tables on standard output; cells are single lines (`one_line`)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from emodetect.cli.messages import show
from emodetect.text.printable import one_line, printable, width

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_GAP = "  "

_MIN_COLUMN = 20
"""Minimum width of the last column, terminal columns; with less, each row becomes a block."""

_UNWRAPPED_WIDTH = 10_000
"""Width of the output to a file or a pipe, which is not wrapped, characters."""

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red", "missing": "yellow"}


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of texts; on a terminal the last column is wrapped, and states such as "fault" are colored."""
    texts = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(headers, *texts, strict=True)]
    if not sys.stdout.isatty():
        _print_lines([headers, *texts], widths)
    elif sum(widths[:-1]) + len(_GAP) * len(widths[:-1]) + min(widths[-1], _MIN_COLUMN) > shutil.get_terminal_size().columns:
        _print_blocks(headers, texts)
    else:
        _print_folded(headers, texts, widths)


def _print_lines(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> None:
    """Print one line per row, without wrapping, for a file or a pipe."""
    for row in rows:
        padded = (cell + " " * (column - width(cell)) for cell, column in zip(row, widths, strict=True))
        click.echo(_GAP.join(padded).rstrip())


def _print_blocks(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one line per cell, with its header."""
    for number, row in enumerate(rows):
        if number:
            show()
        for header, cell in zip(headers, row, strict=True):
            show(f"{header}: {cell}")


def _print_folded(headers: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    try:
        from rich.table import Table
    except ImportError:  # `emodetect doctor` reports it
        _print_lines([headers, *rows], widths)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        table.add_column(header, no_wrap=position < len(headers) - 1, overflow="fold")
    for row in rows:
        table.add_row(*(cell(text, _STYLES.get(text, "")) for text in row))
    show_table(table)


def cell(text: str, style: str = "") -> Text:
    """Cell of a Rich table: one line, without markup."""
    from rich.text import Text

    return Text(one_line(text), style)


def name_cell(name: str) -> Text:
    """Cell of a Rich table with a file name: one line, not shortened, so that names remain distinct."""
    from rich.text import Text

    return Text(printable(name))


def show_table(table: Table) -> None:
    """Print a Rich table, wrapped only to the width of a terminal."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_UNWRAPPED_WIDTH)
    with console.capture() as written:
        console.print(table)
    # Not Click's stream, which replaces an ASCII encoding by UTF-8.
    click.echo("\n".join(line.rstrip() for line in written.get().splitlines()), file=sys.stdout)


def print_cures(cures: Iterable[tuple[str, str]]) -> None:
    """Print names with their fixes below a table, without empty and duplicate ones.

    Each is one line however long, so that a command can be copied.
    """
    names: dict[str, list[str]] = {}
    for name, cure in cures:
        if cure:
            names.setdefault(cure, []).append(name)
    for cure, cured in names.items():
        show(f"→ {', '.join(cured)}: {cure}")
