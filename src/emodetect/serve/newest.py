"""The newest value, between tasks of an event loop."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Holds one value: `put` replaces a value that was not taken, `take` waits for the next one.

    As `emodetect.queues.latest.Latest`, for tasks instead of threads. Use it in one event loop only.

    Attributes:
        replaced: number of values that were replaced and never taken.
    """

    def __init__(self) -> None:
        self._value: T | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self.replaced = 0

    def put(self, value: T) -> None:
        """Replace the value."""
        self.replaced += self._value is not None
        self._value = value
        self._changed.set()

    async def take(self) -> T | None:
        """Take the value, waiting for one; None once closed and empty."""
        await self._changed.wait()
        value, self._value = self._value, None
        if not self._closed:
            self._changed.clear()
        return value

    def close(self) -> None:
        """Wake the waiting task; the last value can still be taken."""
        self._closed = True
        self._changed.set()
