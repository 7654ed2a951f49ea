"""Time that passes while this process can do something.

A process may be stopped (Ctrl-Z, a debugger, a frozen container) and a machine may sleep. Time limits that went on meanwhile
would be over at once, and blame a source for what it had no chance to do.
"""

from __future__ import annotations

import math
import threading
import time

LATE_SECONDS = 1.0
"""A process that reads the clock several times per second and is later than this was stopped."""


def now() -> float:
    """Seconds on a clock that never goes back, and counts a machine's sleep where the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class AwakeClock:
    """A clock that stands still while the process is stopped or the machine asleep; it must be read several times per second.

    It does not matter which thread reads it.

    Attributes:
        resumed: the clock's own time when the process last went on after it had been stopped; minus infinity before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = now()
        self._awake = 0.0
        self.resumed = -math.inf

    def read(self) -> float:
        """Seconds since this clock was made."""
        with self._lock:
            seen = now()
            passed, self._seen = seen - self._seen, seen
            if passed > LATE_SECONDS:
                self.resumed = self._awake
            else:
                self._awake += passed
            return self._awake

    def read_late(self) -> float:
        """The same after a time in which nobody has read it, though the process was not stopped."""
        with self._lock:
            seen = now()
            self._awake, self._seen = self._awake + seen - self._seen, seen
            return self._awake

    def since(self, start: float) -> float:
        """Seconds since a time on this clock, or since the process last went on, if that is later: what time limits count."""
        return self.read() - max(start, self.resumed)
