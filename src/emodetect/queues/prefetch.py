"""Working ahead: a step of a chain in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from emodetect.queues.interruption import Task

T = TypeVar("T")

_LOOK_SECONDS = 1.0
"""How often the thread looks by itself whether there is a place in the queue."""


@dataclass(frozen=True)
class _End:
    """What comes after the last item: the error that ended it, if one did."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Iterable[T], *, capacity: int = 4) -> Iterator[Iterator[T]]:
    """Iterate in a thread of its own, some items ahead of whoever takes them; the order stays.

    Steps are chained by giving one's items to the next. An error in the thread is raised where the items are taken, after the
    items before it; leaving the block, by an error or not, ends the thread.

    Args:
        items: what to iterate over; only the thread touches it.
        capacity: how many items may wait to be taken.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(capacity)
    stopping = threading.Event()

    def put(item: T | _End) -> None:
        while True:
            # A signal in the main thread may tear a get apart before it has woken whom it should.
            with suppress(queue.Full):
                waiting.put(item, timeout=_LOOK_SECONDS)
                return

    def produce() -> None:
        end = _End()
        try:
            for item in items:
                put(item)
                if stopping.is_set():
                    break
        except BaseException as error:
            end = _End(error)
        put(end)

    def take() -> Iterator[T]:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    task = Task(produce, name="ahead")
    try:
        yield take()
    finally:
        stopping.set()
        while not task.is_done:
            # It may be waiting for a place in the queue.
            with suppress(queue.Empty):
                waiting.get_nowait()
            task.wait(0.01)
