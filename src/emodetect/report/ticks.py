"""Ticks for the axes of timelines."""

from __future__ import annotations

import math

from emodetect.report.formatting import clock

_STEPS = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Seconds from one tick to the next."""

_MAX_STEPS = 6
"""Maximum number of steps in a timeline."""


def ticks(start: float, end: float) -> list[tuple[float, str]]:
    """Tick positions of a timeline, each with its label: 0:00, 0:05, 0:10.

    Args:
        start: start of the timeline, seconds.
        end: end of the timeline, seconds; not before its start.
    """
    step = next((step for step in _STEPS if (end - start) / step <= _MAX_STEPS), None)
    if step is None:
        step = _STEPS[-1] * math.ceil((end - start) / _STEPS[-1] / _MAX_STEPS)
    # The tolerance allows for rounding errors at both ends.
    first, last = math.ceil((start - 1e-6) / step), math.floor((end + 1e-6) / step)
    return [(number * step, clock(number * step, tenths=step < 1)) for number in range(first, last + 1)]
