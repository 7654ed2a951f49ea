"""Prefetching: a stage of a chain in a separate thread."""

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
"""Seconds after which the thread checks the queue for a free slot again by itself."""

_LAST_LOOKS, _LAST_LOOK_SECONDS = 200, 0.01
"""How often, and for how long, the thread is waited for at the end, before it is left behind."""


@dataclass(frozen=True)
class _End:
    """The end of the items, with the error that caused it, if any."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Iterable[T], *, capacity: int = 4) -> Iterator[Iterator[T]]:
    """Iterate in a separate thread, a few items ahead of the consumer, in the same order.

    Stages are chained by passing the items of one to the next. An error in the thread is raised in the consumer, after the items
    before it. Leaving the block, with an error or without, ends the thread. One that waits for an item that does not come, as of
    a pipe that nobody writes to, is left behind, and ends once it has the item.

    Args:
        items: what to iterate over; used only by the thread.
        capacity: items in the queue at most.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(capacity)
    stopping = threading.Event()

    def put(item: T | _End) -> None:
        while True:
            # A signal in the main thread may interrupt a get before it has notified this thread.
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
        for _ in range(_LAST_LOOKS):
            if task.is_done:
                break
            # It may be waiting for a free slot in the queue.
            with suppress(queue.Empty):
                waiting.get_nowait()
            task.wait(_LAST_LOOK_SECONDS)
