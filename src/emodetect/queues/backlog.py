"""A bounded queue between threads that drops its oldest values."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """A bounded queue; if it is full, `put` drops the oldest value.

    Args:
        capacity: maximum number of values.

    Attributes:
        dropped: number of values that were dropped and never taken.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()
        self._values: deque[T] = deque()
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._values)

    def put(self, value: T) -> None:
        """Add a value without blocking."""
        with self._changed:
            self._values.append(value)
            self._drop_oldest()
            self._changed.notify_all()

    def put_back(self, values: Sequence[T]) -> None:
        """Return values that were taken but not used; the oldest ones are dropped if newer values take up the capacity."""
        with self._changed:
            self._values.extendleft(reversed(values))
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._values) > self._capacity:
            self._values.popleft()
            self.dropped += 1

    def take(self, max_values: int, timeout: float) -> list[T]:
        """Take the oldest values, waiting for the first one; empty after ``timeout`` seconds, or once closed and empty.

        Args:
            max_values: maximum number of values.
            timeout: seconds to wait for the first one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._values or self._closed, timeout)
            taken = [self._values.popleft() for _ in range(min(max_values, len(self._values)))]
            self._changed.notify_all()
            return taken

    def wait_for(self, count: int, timeout: float) -> None:
        """Wait until there are ``count`` values or the queue is closed, for at most ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._values) >= count or self._closed, timeout)

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until `put` would drop no value, for at most ``timeout`` seconds; returns whether that is so."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: len(self._values) < self._capacity or self._closed, timeout))

    def close(self) -> None:
        """Wake all waiting threads; remaining values can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the queue is closed and empty."""
        with self._changed:
            return self._closed and not self._values
