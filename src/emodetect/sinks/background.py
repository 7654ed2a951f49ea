"""A sink behind a bounded queue, so that a slow output does not hold up the work."""

from __future__ import annotations

import contextlib
import queue

from typing_extensions import override

from emodetect.queues.interruption import Task, past_one_interruption
from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult

_LOOK_SECONDS = 1.0
"""How often the thread looks by itself whether there is something to write."""


class BackgroundSink(Sink):
    """Passes frames to another sink in a thread of its own.

    It also keeps Ctrl-C, which reaches the main thread alone, from tearing a write apart. After an error nothing more is
    written, and each further write raises it again; closing raises what no write has raised.

    Args:
        sink: does the writing; closed with this one.
        capacity: frames that may wait.
        drop: when the queue is full, leave a frame out rather than wait (live).
    """

    def __init__(self, sink: Sink, *, capacity: int = 8, drop: bool = False) -> None:
        self._sink, self._drop = sink, drop
        self._queue: queue.Queue[tuple[Frame, FrameResult] | None] = queue.Queue(capacity)
        self._error: BaseException | None = None
        self._raised = False
        self._closed = False
        self._task = Task(self._run, name="sink")

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Queue a frame; raises what an earlier one met, again and again."""
        self._raise_error()
        try:
            self._queue.put((frame, result), block=not self._drop)
        except queue.Full:
            return

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            past_one_interruption(self._finish)  # what is written is whole when a process ends
            if not self._raised:
                self._raise_error()

    def _finish(self) -> None:
        if not self._task.is_done:
            self._queue.put(None)
            self._task.wait()

    def _raise_error(self) -> None:
        if self._error is not None:
            self._raised = True
            raise self._error

    def _next(self) -> tuple[Frame, FrameResult] | None:
        while True:
            # A signal in the main thread may tear a put apart before it has woken whom it should.
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_LOOK_SECONDS)

    def _run(self) -> None:
        # After an error the queue is still emptied, so that nobody waits for a place in it forever.
        while (item := self._next()) is not None:
            if self._error is not None:
                continue
            try:
                self._sink.write(*item)
            except BaseException as error:
                self._error = error
        try:
            self._sink.close()
        except BaseException as error:
            self._error = self._error or error
