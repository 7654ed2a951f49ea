"""Tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emodetect.text import one_line

_WIDE = 10_000
"""A file or a pipe has no width to fold lines to, characters."""

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red", "missing": "yellow"}


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of texts; lines are folded on a terminal only, so that commands can be copied out of a file.

    The last column may have several lines a row; states such as "fault" are coloured.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        table.add_column(header, no_wrap=position < len(headers) - 1, overflow="fold")
    for row in rows:
        table.add_row(*(Text("\n".join(map(one_line, cell.split("\n"))), style=_STYLES.get(cell, "")) for cell in row))
    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_WIDE)
    with console.capture() as written:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in written.get().splitlines()))
