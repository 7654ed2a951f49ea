"""A bounded queue between threads in which the newest values win."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """Holds the newest values in order: where it is full, `put` drops the oldest one.

    Args:
        capacity: values at most.

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
        """Add a value; does not wait."""
        with self._changed:
            self._values.append(value)
            self._drop_oldest()
            self._changed.notify_all()

    def put_back(self, values: Sequence[T]) -> None:
        """Return values that were taken and could not be used; the oldest ones are dropped where newer ones need the room."""
        with self._changed:
            self._values.extendleft(reversed(values))
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._values) > self._capacity:
            self._values.popleft()
            self.dropped += 1

    def take(self, most: int, timeout: float) -> list[T]:
        """Wait for values and take the oldest ones; none after ``timeout`` seconds without one, or once closed and empty.

        Args:
            most: values to take at most.
            timeout: seconds to wait for the first one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._values or self._closed, timeout)
            taken = [self._values.popleft() for _ in range(min(most, len(self._values)))]
            self._changed.notify_all()
            return taken

    def wait_for(self, count: int, timeout: float) -> None:
        """Wait until it holds so many values or is closed, for ``timeout`` seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._values) >= count or self._closed, timeout)

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until another value would drop none, for ``timeout`` seconds at most; returns whether it is so."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: len(self._values) < self._capacity or self._closed, timeout))

    def close(self) -> None:
        """Wake all waiting threads; what is held can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether it is closed and empty."""
        with self._changed:
            return self._closed and not self._values
