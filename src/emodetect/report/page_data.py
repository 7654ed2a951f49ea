"""Data for the script of the page: the readings of each face over time, and its positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emodetect.report.person import Person, Run
from emodetect.report.timeline import Timeline

_STEP = 0.1
"""Minimum interval, seconds, between confidences or positions of a face. The page interpolates boxes between positions."""

_GRID = 1000
"""Number of steps of the width and height of an image for positions."""


def page_data(timeline: Timeline, people: Sequence[Person], size: tuple[int, int] | None) -> dict[str, Any]:
    """Runs (start, end, emotion, 1 if uncertain, confidences in percent) and face positions of each person.

    Args:
        timeline: results over time.
        people: the people shown.
        size: width and height of the image for boxes, pixels; None for no boxes.
    """
    every = max(_STEP, timeline.step)
    return {
        "start": round(timeline.start, 3),
        "end": round(timeline.end, 3),
        "step": round(timeline.step, 4),
        "every": round(every, 4),
        "people": [
            {
                "number": person.track_id,
                "runs": [
                    [round(run.start, 3), round(run.end, 3), run.emotion.value, int(run.uncertain), _percents(person, run, every)]
                    for run in person.runs()
                ],
                "boxes": _boxes(person, timeline.start, size) if size else [],
            }
            for person in people
        ],
    }


def _percents(person: Person, run: Run, every: float) -> list[int]:
    """The confidences of a run, in percent, one every ``every`` seconds from its start."""
    moments = np.arange(run.start, run.end - 1e-6, every)
    samples = np.searchsorted(person.starts[run.samples], moments + 1e-6, side="right") - 1
    return [round(100 * confidence) for confidence in person.confidences[run.samples][samples].tolist()]


def _boxes(person: Person, start: float, size: tuple[int, int]) -> list[list[int]]:
    """Positions of a face, one list per appearance: milliseconds, x, y, width and height, repeated.

    The first five are relative to the report's start and the image's corner, later ones to their predecessors (delta encoding).
    Ten minutes of one face take about 70 KB.
    """
    places = np.rint(_GRID * person.boxes / np.asarray([*size, *size])).clip(-_GRID, 2 * _GRID)
    paths = []
    for samples in person.appearances():
        times = person.starts[samples]
        kept = [0]
        for number, time in enumerate(times.tolist()):
            if time - times[kept[-1]] >= _STEP - 1e-6:
                kept.append(number)
        ends = person.ends[samples.stop - 1], *places[samples.stop - 1]
        rows = np.asarray([*((times[number], *places[samples][number]) for number in kept), ends])
        rows[:, 0] = np.rint(1000 * (rows[:, 0] - start))
        paths.append(np.diff(rows, axis=0, prepend=0).astype(int).ravel().tolist())
    return paths
