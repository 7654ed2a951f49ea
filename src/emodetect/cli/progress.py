"""Progress bars on standard error, if it is a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emodetect.cli.messages import shows_progress


def messages_console(*, quiet: bool = False) -> Console:
    """Rich console for standard error; texts printed on it must come from `one_line`."""
    return Console(stderr=True, quiet=quiet)


def progress_bar(*, of_bytes: bool = False) -> Progress:
    """Create a progress bar that disappears at the end of its block; disabled without a terminal or with ``--quiet``."""
    count = DownloadColumn() if of_bytes else MofNCompleteColumn()
    columns = TextColumn("{task.description}", markup=False), BarColumn(20), count, TimeRemainingColumn()
    return Progress(*columns, console=messages_console(), transient=True, disable=not shows_progress())
