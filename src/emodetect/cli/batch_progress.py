"""Progress of a batch: one bar for all inputs on a terminal, one line per minute elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from typing_extensions import Self

from emodetect.cli.messages import note, shows_progress
from emodetect.text.printable import counted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from emodetect.batch.schedule import Totals

_LINE_SECONDS = 60.0


class BatchProgress:
    """Shows the progress of a batch; a context manager."""

    def __init__(self) -> None:
        self._started = self._printed = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if shows_progress():
            from rich.progress import BarColumn, Progress, TextColumn

            from emodetect.cli.progress import messages_console

            columns = BarColumn(16), TextColumn("{task.description}", markup=False)
            self._bar = Progress(*columns, console=messages_console(), transient=True)
            self._task = self._bar.add_task("loading the model", total=None)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, totals: Totals) -> None:
        """Update the progress."""
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            text = progress_in_words(totals, now - self._started)
            self._bar.update(self._task, description=text, total=1.0, completed=totals.share)
        elif now - self._printed >= _LINE_SECONDS:
            self._printed = now
            note(f"emodetect: {progress_in_words(totals, now - self._started)}")


def progress_in_words(totals: Totals, seconds: float) -> str:
    """Format the progress after ``seconds``: inputs, frames, failures, inputs per second, remaining time."""
    ended = totals.done + totals.failed
    rate = (ended - totals.done_before) / seconds if seconds else 0.0
    parts = [f"{ended:,} of {counted(totals.inputs, 'input')}", counted(totals.frames, "frame"), f"{totals.failed:,} failed"]
    if rate:
        parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")
        parts.append(f"{_clock(totals.seconds_left(seconds))} left")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    """Format seconds as hours, minutes and seconds: 1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
