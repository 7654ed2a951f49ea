"""Rows of the summary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emodetect.errors import UsageError
from emodetect.report.person import Person
from emodetect.report.timeline import Timeline
from emodetect.settings.summary import BLOCK_SECONDS
from emodetect.summary.intervals import share_intervals
from emodetect.summary.measures import ROUNDING, Measures, Values, measure
from emodetect.types import EMOTIONS

Row = dict[str, str | int | float | None]

_DIGITS = 6

_MAX_BINS = 1_000_000
"""Maximum number of bins of an input; a day has 86,400 seconds."""

_BINS = "bin_start", "bin_end"

_INTERVAL = "share_low", "share_high"

COLUMNS = {
    "input": str, "person": int, "emotion": str, "bin_start": float, "bin_end": float, "seconds_input": float,
    "seconds_seen": float, "seconds_certain": float, "share_uncertain": float, "changes_per_minute": float, "seconds": float,
    "share": float, "share_low": float, "share_high": float, "mean_score": float, "bouts": int, "mean_bout": float,
}  # fmt: skip
"""All columns and the types of their values, any of which may be None."""


@dataclass(frozen=True)
class TableSettings:
    """Settings of the table.

    Attributes:
        bin_seconds: length of a time bin, with one row each; None for one row for all of the time.
        block: block length of the bootstrap, seconds.
    """

    bin_seconds: float | None = None
    block: float = BLOCK_SECONDS

    @property
    def columns(self) -> dict[str, type]:
        """Columns and types, in order. Bins have bounds, but no intervals, for which they are too short."""
        left_out = _BINS if self.bin_seconds is None else _INTERVAL
        return {column: kind for column, kind in COLUMNS.items() if column not in left_out}

    def rows(self, name: str, timeline: Timeline, *, is_photo: bool = False) -> Iterator[Row]:
        """Yield the rows of an input, with emotions in the order of `EMOTIONS`. An input without a face has one row.

        Args:
            name: name of the input.
            timeline: its results.
            is_photo: whether it is a photo, which has no duration.

        Raises:
            UsageError: there would be too many bins.
        """
        edges = self._edges(timeline)
        spans = _spans(timeline, edges)
        people = timeline.people()
        if not people:
            yield self._empty_row(name, None if is_photo else float(spans.sum()))
        for person in sorted(people, key=lambda person: person.track_id):
            for row in self._person_rows(name, person, edges, spans):
                yield _without_seconds(row) if is_photo else row

    def _edges(self, timeline: Timeline) -> Values:
        if self.bin_seconds is None:
            return np.asarray([timeline.start, timeline.end])
        width = self.bin_seconds
        # A frame at the end of a bin, up to rounding, belongs to the next one.
        first, last = math.floor(round(timeline.start / width, 6)), math.ceil(round(timeline.end / width, 6))
        if last - first > _MAX_BINS:
            raise UsageError(f"`bins`: there would be more than {_MAX_BINS:,}; choose longer ones", parameter="bins")
        return np.asarray(np.arange(first, max(last, first + 1) + 1) * width, np.float64)

    def _empty_row(self, name: str, seconds: float | None) -> Row:
        known: Row = {"input": name, "seconds_input": _rounded(seconds), "seconds_seen": None if seconds is None else 0.0}
        return {column: known.get(column) for column in self.columns}

    def _person_rows(self, name: str, person: Person, edges: Values, spans: Values) -> Iterator[Row]:
        measures = measure(person, edges)
        intervals = share_intervals(person, self.block) if self.bin_seconds is None else None
        for place in np.flatnonzero(spans > ROUNDING).tolist():
            for number, emotion in enumerate(EMOTIONS):
                row: Row = {
                    "input": name,
                    "person": person.track_id,
                    "emotion": emotion.value,
                    "seconds_input": float(spans[place]),
                    **_measured(measures, place, number),
                }
                if self.bin_seconds is not None:
                    row.update(bin_start=float(edges[place]), bin_end=float(edges[place + 1]))
                if intervals is not None:
                    row.update(share_low=float(intervals[0][number]), share_high=float(intervals[1][number]))
                yield {column: _rounded(row[column]) for column in self.columns}


def _spans(timeline: Timeline, edges: Values) -> Values:
    """Duration with frames between consecutive edges, seconds; gaps in a log do not count."""
    starts, ends = np.asarray(timeline.times), timeline.ends
    knots = np.column_stack([starts, ends]).ravel()
    until = np.cumsum(ends - starts)
    return np.diff(np.interp(edges, knots, np.column_stack([np.append(0.0, until[:-1]), until]).ravel()))


def _measured(measures: Measures, place: int, number: int) -> Row:
    """Measures of an emotion in a bin; None for undefined ones."""
    seen, certain = float(measures.seen[place]), float(measures.certain[place])
    seconds, count = float(measures.seconds[place, number]), int(measures.bouts[place, number])
    return {
        "seconds_seen": seen,
        "seconds_certain": certain,
        "share_uncertain": 1 - certain / seen if seen > 0 else None,
        "changes_per_minute": 60 * int(measures.changes[place]) / seen if seen > 0 else None,
        "seconds": seconds,
        "share": seconds / certain if certain > 0 else None,
        "mean_score": float(measures.scores[place, number]),
        "bouts": count,
        "mean_bout": float(measures.bout_seconds[place, number]) / count if count else None,
    }


def _without_seconds(row: Row) -> Row:
    """Row of a face in a photo, in which all times are None."""
    kept = {"input", "person", "emotion", "share_uncertain", "share", "mean_score"}
    return {column: value if column in kept else None for column, value in row.items()}


def _rounded(value: str | int | float | None) -> str | int | float | None:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS) + 0.0  # avoids -0.0
    return value
