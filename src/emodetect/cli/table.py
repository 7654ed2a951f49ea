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
    """Print rows of texts; lines are folded on a terminal only. States such as "fault" are coloured."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        table.add_column(header, no_wrap=position < len(headers) - 1, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell), style=_STYLES.get(cell, "")) for cell in row))
    show_table(table)


def show_table(table: Table) -> None:
    """Print a table of Rich's, folded to the width of a terminal only."""
    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_WIDE)
    with console.capture() as written:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in written.get().splitlines()))


def print_cures(cures: Iterable[tuple[str, str]]) -> None:
    """Print what helps, below a table: names with their cures, empty ones left out, and the same cure once.

    Each is one line however long, so that a command can be copied whole.
    """
    names: dict[str, list[str]] = {}
    for name, cure in cures:
        if cure:
            names.setdefault(cure, []).append(name)
    for cure, cured in names.items():
        click.echo(one_line(f"→ {', '.join(cured)}: {cure}"))
