"""What fills the lanes of a person's timeline: shapes as high as the readings were sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emodetect.report.timeline import Person, Run
from emodetect.types import EMOTIONS, Emotion

COLUMNS = 500
"""Of a timeline; what changes within one of them cannot be told apart."""

_NARROW = 3
"""Columns under which a run is too narrow for an outline of its own."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Something to fill in an emotion's lane.

    Attributes:
        emotion: whose lane.
        uncertain: whether it should not be trusted.
        run: the run that it shows; None for a sum of many short ones.
        edges: float64 (n + 1,), seconds: where each step begins, and the end of the last.
        heights: float64 (n,), 0 to 1: the confidence; in a sum times the share of the step that the emotion took.
    """

    emotion: Emotion
    uncertain: bool
    run: Run | None
    edges: npt.NDArray[np.float64]
    heights: npt.NDArray[np.float64]


def shapes(person: Person, start: float, end: float) -> Iterator[Shape]:
    """What to draw of a person: the long runs one by one, then a sum of the short ones for each emotion.

    Args:
        person: who.
        start: when the timeline begins, seconds.
        end: when it ends, seconds.
    """
    column = (end - start) / COLUMNS
    is_short = np.zeros(len(person.starts), np.bool_)
    for run in person.runs():
        if run.end - run.start < _NARROW * column:
            is_short[run.samples] = True
            continue
        # Two steps a column at most; a run as long as the clip may have 100,000 samples.
        every = max(1, int((run.samples.stop - run.samples.start) * column / (run.end - run.start) / 2))
        edges = np.append(person.starts[run.samples][::every], run.end)
        yield Shape(run.emotion, run.uncertain, run, edges, person.confidences[run.samples][::every].astype(np.float64))
    edges = np.linspace(start, end, COLUMNS + 1)
    for position, emotion in enumerate(EMOTIONS):
        for uncertain in (False, True):
            chosen = is_short & (person.emotions == position) & (person.uncertain == uncertain)
            if chosen.any():
                yield Shape(emotion, uncertain, None, edges, _mean_heights(person, chosen, edges))


def _mean_heights(person: Person, chosen: npt.NDArray[np.bool_], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean confidence between one edge and the next, where all but the chosen samples count as 0."""
    starts, ends = person.starts[chosen], person.ends[chosen]
    until = np.cumsum((ends - starts) * person.confidences[chosen])
    knots = np.column_stack([starts, ends]).ravel()
    integral = np.column_stack([np.append(0.0, until[:-1]), until]).ravel()
    return np.asarray(np.diff(np.interp(edges, knots, integral)) / np.diff(edges), np.float64)
