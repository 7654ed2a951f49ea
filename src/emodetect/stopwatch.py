"""Processing time per stage of a frame."""

from __future__ import annotations

import time


class Stopwatch:
    """Measures consecutive stages.

    Attributes:
        laps_ms: milliseconds by stage, in order.
    """

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last lap, or since the start, to this stage."""
        now = time.perf_counter()
        self.laps_ms[stage] = self.laps_ms.get(stage, 0.0) + 1000 * (now - self._last)
        self._last = now
