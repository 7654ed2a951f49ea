"""Prefetching: a stage of a pipeline in a separate thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from emodetect.queues.interruption import Task

T = TypeVar("T")

_POLL_SECONDS = 1.0
"""Seconds after which the thread checks the queue without a notification."""

_FINAL_WAITS, _FINAL_WAIT_SECONDS = 200, 0.01
"""Number and duration, seconds, of the waits for the thread at the end, before it is left behind."""


@dataclass(frozen=True)
class _End:
    """The end of the items, with the error that caused it, if any."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Iterable[T], *, capacity: int = 4) -> Iterator[Iterator[T]]:
    """Iterate in a separate thread, a few items ahead of the consumer, in the same order.

    Stages are chained by passing the iterator of one to the next. An error in the thread is raised in the consumer, after the
    items before it. Leaving the block, with or without an error, ends the thread. A thread that is blocked, for example by a pipe
    without data, is left behind, and ends after its next item.

    Args:
        items: iterable, used only by the thread.
        capacity: maximum number of items in the queue.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(capacity)
    stopping = threading.Event()

    def put(item: T | _End) -> None:
        while True:
            # A signal in the main thread may interrupt a get before it notifies this thread.
            with suppress(queue.Full):
                waiting.put(item, timeout=_POLL_SECONDS)
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
        for _ in range(_FINAL_WAITS):
            if task.is_done:
                break
            # The thread may be waiting for a free slot in the queue.
            with suppress(queue.Empty):
                waiting.get_nowait()
            task.wait(_FINAL_WAIT_SECONDS)
