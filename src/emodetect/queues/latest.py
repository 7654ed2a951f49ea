"""A queue between threads that holds only the newest value."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds one value: `put` replaces a value that was not taken, `take` waits for the next one.

    Attributes:
        replaced: number of values that were replaced and never taken.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._closed = False
        self._branches: list[Latest[T]] = []
        self.replaced = 0

    def branch(self) -> Latest[T]:
        """Create another queue that receives every value put here from now on, so that two threads can take the same values."""
        branch: Latest[T] = Latest()
        with self._changed:
            self._branches.append(branch)
            if self._closed:
                branch.close()
        return branch

    def put(self, value: T) -> None:
        """Replace the value."""
        with self._changed:
            self.replaced += self._value is not None
            self._value = value
            self._changed.notify_all()
            for branch in self._branches:
                branch.put(value)

    def take(self, timeout: float | None = None) -> T | None:
        """Take the value, waiting for one; None after ``timeout`` seconds, or once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._value is not None or self._closed, timeout)
            value, self._value = self._value, None
            return value

    def close(self) -> None:
        """Wake all waiting threads; the last value can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for branch in self._branches:
                branch.close()

    @property
    def finished(self) -> bool:
        """Whether the queue is closed and empty."""
        with self._changed:
            return self._closed and self._value is None
