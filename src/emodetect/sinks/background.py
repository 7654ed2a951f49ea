"""A sink behind a bounded queue, so that a slow output does not block the caller."""

from __future__ import annotations

import contextlib
import queue

from typing_extensions import override

from emodetect.queues.interruption import Task, past_one_interruption
from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult

_POLL_SECONDS = 1.0
"""Seconds after which the thread checks the queue without a notification."""


class BackgroundSink(Sink):
    """Passes frames to another sink in a separate thread.

    SIGINT reaches the main thread only, so that it cannot interrupt a write. After an error nothing more is written, and each
    further `write` raises it again. `close` raises an error that no `write` has raised.

    Args:
        sink: writes the frames; closed with this one.
        capacity: capacity of the queue, frames.
        drop: whether to drop frames while the queue is full instead of blocking (live).
    """

    def __init__(self, sink: Sink, *, capacity: int = 8, drop: bool = False) -> None:
        self._sink, self._drop = sink, drop
        self._queue: queue.Queue[tuple[Frame, FrameResult] | None] = queue.Queue(capacity)
        self._error: BaseException | None = None
        self._raised = False
        self._closed = False
        self._task = Task(self._run, name="sink")

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Queue a frame.

        Args:
            frame: the frame.
            result: its result.

        Raises:
            BaseException: an earlier frame failed; raised again by each call.
        """
        self._raise_error()
        try:
            self._queue.put((frame, result), block=not self._drop)
        except queue.Full:
            return

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            past_one_interruption(self._finish)  # the output should be complete
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
            # A signal in the main thread may interrupt a put before it notifies this thread.
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_POLL_SECONDS)

    def _run(self) -> None:
        # After an error the queue is still emptied, so that no caller blocks forever.
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
