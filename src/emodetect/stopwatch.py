"""What the stages of a frame's way cost."""

from __future__ import annotations

import time


class Stopwatch:
    """Measures stages that follow on each other.

    Attributes:
        laps_ms: milliseconds by stage, in order.
    """

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The time since the last lap, or since the start, was spent on this stage."""
        now = time.perf_counter()
        self.laps_ms[stage] = self.laps_ms.get(stage, 0.0) + 1000 * (now - self._last)
        self._last = now
