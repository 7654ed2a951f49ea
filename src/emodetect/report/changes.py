"""Changes of the emotion of a face that last for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emodetect.report.person import Person, Run
from emodetect.types import Emotion

MIN_BOUT_SECONDS = 0.4
"""Minimum duration, seconds, of a certain emotion or an absence. Shorter ones are mostly flicker."""


@dataclass(frozen=True)
class Change:
    """A change of emotion that lasts for a while.

    Attributes:
        time: seconds.
        before: the last emotion that lasted; None if there was none.
        after: the new emotion.
        absent: whether the face was absent in between.
    """

    time: float
    before: Emotion | None
    after: Emotion
    absent: bool = False


def changes(person: Person) -> list[Change]:
    """Find the changes of emotion. Uncertain readings, and those shorter than 0.4 seconds, are ignored.

    The first emotion that lasted counts as well, unless it was present from the beginning.
    """
    found = []
    before: Bout | None = None
    for bout in bouts(person):
        if before is None and bout.start > person.starts[0]:
            found.append(Change(bout.start, None, bout.emotion))
        elif before is not None and before.emotion is not bout.emotion:
            found.append(Change(bout.start, before.emotion, bout.emotion, before.appearance != bout.appearance))
        before = bout
    return found


def bouts(person: Person) -> Iterator[Bout]:
    """Yield the bouts of emotions, in order: those read with certainty for at least 0.4 seconds."""
    return (bout for bout in _stretches(person) if round(bout.seconds, 6) >= MIN_BOUT_SECONDS)


@dataclass
class Bout:
    """One emotion, read with certainty, without another emotion or an absence in between.

    Attributes:
        emotion: the emotion.
        start: seconds.
        seconds: duration of its certain readings.
        appearance: the number of absences before it.
    """

    emotion: Emotion
    start: float
    seconds: float
    appearance: int


def _stretches(person: Person) -> Iterator[Bout]:
    """Yield the certain runs. Runs of the same emotion are merged if no other emotion and no absence lies between them."""
    stretch: Bout | None = None
    last: Run | None = None
    appearance = 0
    for run in person.runs():
        appearance += last is not None and round(run.start - last.end, 6) >= MIN_BOUT_SECONDS
        last = run
        if run.uncertain:
            continue
        if stretch is not None and (stretch.emotion, stretch.appearance) == (run.emotion, appearance):
            stretch.seconds += run.end - run.start
            continue
        if stretch is not None:
            yield stretch
        stretch = Bout(run.emotion, run.start, run.end - run.start, appearance)
    if stretch is not None:
        yield stretch
