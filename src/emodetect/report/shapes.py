"""Shapes that fill the lanes of a person's timeline; their height is the confidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emodetect.report.person import Person, Run
from emodetect.types import EMOTIONS, Emotion

COLUMNS = 500
"""Number of columns of a timeline; changes within one column are not visible."""

_MIN_OUTLINE = 3
"""Minimum width, in columns, of a run with its own outline."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A filled shape in an emotion's lane.

    Attributes:
        emotion: emotion of the lane.
        uncertain: whether the reading is uncertain.
        run: the run shown; None for a sum of many short ones.
        edges: float64 (n + 1,), seconds: start of each step, and end of the last one.
        heights: float64 (n,), 0 to 1: confidence; in a sum, times the emotion's share of the step.
    """

    emotion: Emotion
    uncertain: bool
    run: Run | None
    edges: npt.NDArray[np.float64]
    heights: npt.NDArray[np.float64]


def shapes(person: Person, start: float, end: float) -> Iterator[Shape]:
    """Yield the shapes of a person: the long runs one by one, then a sum of the short ones per emotion.

    Args:
        person: the person.
        start: start of the timeline, seconds.
        end: end of the timeline, seconds.
    """
    column = (end - start) / COLUMNS
    is_short = np.zeros(len(person.starts), np.bool_)
    for run in person.runs():
        if run.end - run.start < _MIN_OUTLINE * column:
            is_short[run.samples] = True
            continue
        # At most two steps per column; a run as long as the clip may have 100,000 samples.
        every = max(1, int((run.samples.stop - run.samples.start) * column / (run.end - run.start) / 2))
        edges = np.append(person.starts[run.samples][::every], run.end)
        yield Shape(run.emotion, run.uncertain, run, edges, person.confidences[run.samples][::every].astype(np.float64))
    edges = np.linspace(start, end, COLUMNS + 1)
    for position, emotion in enumerate(EMOTIONS):
        for uncertain in (False, True):
            chosen = is_short & (person.emotions == position) & (person.uncertain == uncertain)
            if chosen.any():
                # Samples that are not chosen count as 0.
                heights = person.integrals(np.where(chosen, person.confidences, 0), edges) / np.diff(edges)
                yield Shape(emotion, uncertain, None, edges, heights)
