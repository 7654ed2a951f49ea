"""Clocks for time-outs, which stop while the process is stopped.

A process may be stopped (Ctrl-Z, a debugger, a frozen container) and a machine may be suspended. Time-outs that ran on meanwhile
would expire at once and blame a source that had no chance to respond.
"""

from __future__ import annotations

import math
import threading
import time

LATE_SECONDS = 1.0
"""Interval between two readings above which the process was stopped; the clock is read several times per second."""


def now() -> float:
    """Seconds on a monotonic clock, which includes the machine's suspension if the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class AwakeClock:
    """A clock that stops while the process is stopped or the machine is suspended. Read it several times per second.

    Thread-safe.

    Attributes:
        resumed: the clock's time when the process was last resumed; minus infinity before that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = now()
        self._awake = 0.0
        self.resumed = -math.inf

    def read(self) -> float:
        """Seconds since this clock was created."""
        with self._lock:
            seen = now()
            passed, self._seen = seen - self._seen, seen
            if passed > LATE_SECONDS:
                self.resumed = self._awake
            else:
                self._awake += passed
            return self._awake

    def read_late(self) -> float:
        """Like `read`, after the clock was not read for a while although the process was not stopped."""
        with self._lock:
            seen = now()
            self._awake, self._seen = self._awake + seen - self._seen, seen
            return self._awake

    def since(self, start: float) -> float:
        """Seconds since a time on this clock, or since the process was last resumed if that is later; for time-outs."""
        return self.read() - max(start, self.resumed)
