"""Measures of a person's readings, in total or by time bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emodetect.report.changes import bouts, changes
from emodetect.report.person import Person
from emodetect.types import EMOTIONS

Values = npt.NDArray[np.float64]

ROUNDING = 1e-9
"""Tolerance for rounding errors of times, seconds: 3 * 0.1 is slightly more than 0.3."""


@dataclass(frozen=True, eq=False)
class Measures:
    """Measures of a person in m time bins, or in a single one for all of the time; times are seconds.

    Attributes:
        seen: float64 (m,), time for which the face was read.
        seconds: float64 (m, 7), time for which each emotion was read with certainty, in the order of `EMOTIONS`.
        uncertain: float64 (m, 7), time for which each emotion was read without certainty.
        scores: float64 (m, 7), mean score of each emotion over the time seen; NaN without a face.
        bouts: int64 (m, 7), number of bouts that began in the bin.
        bout_seconds: float64 (m, 7), sum of their durations, including the time after the end of the bin.
        changes: int64 (m,), number of changes from one emotion to another in the bin.
    """

    seen: Values
    seconds: Values
    uncertain: Values
    scores: Values
    bouts: npt.NDArray[np.int64]
    bout_seconds: Values
    changes: npt.NDArray[np.int64]

    @property
    def certain(self) -> Values:
        """Time for which any emotion was read with certainty, float64 (m,), seconds."""
        return np.asarray(self.seconds.sum(axis=1), np.float64)


def measure(person: Person, edges: Values) -> Measures:
    """Compute the measures of a person between consecutive edges.

    Args:
        person: the person.
        edges: float64 (m + 1,), seconds, in order; the time before the first and after the last one is ignored.
    """
    is_emotion = person.emotions[:, None] == np.arange(len(EMOTIONS))
    certain = is_emotion & ~person.uncertain[:, None]
    rates = np.hstack([np.ones((len(person.starts), 1)), certain, is_emotion & ~certain, person.scores])
    sums = person.integrals(rates, edges)
    sums[sums < ROUNDING] = 0
    seen, (seconds, uncertain, scores) = sums[:, 0], np.split(sums[:, 1:], 3, axis=1)
    shape = len(edges) - 1, len(EMOTIONS)
    count, lengths, changed = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(len(edges) - 1, np.int64)
    for bout in bouts(person):
        if (place := _place(bout.start, edges)) is not None:
            count[place, EMOTIONS.index(bout.emotion)] += 1
            lengths[place, EMOTIONS.index(bout.emotion)] += bout.seconds
    for change in changes(person):
        if change.before is not None and (place := _place(change.time, edges)) is not None:
            changed[place] += 1
    with np.errstate(invalid="ignore"):
        means = scores / np.where(seen > 0, seen, np.nan)[:, None]
    return Measures(seen, seconds, uncertain, means, count, lengths, changed)


def _place(time: float, edges: Values) -> int | None:
    """Index of the bin that contains a time."""
    place = int(np.searchsorted(edges, time + ROUNDING, side="right")) - 1
    return place if 0 <= place < len(edges) - 1 else None
