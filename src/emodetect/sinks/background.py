"""A sink behind a bounded queue, so that a slow output does not hold up the work."""

from __future__ import annotations

import queue
import threading

from typing_extensions import override

from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult


class BackgroundSink(Sink):
    """Passes frames to another sink in a thread of its own.

    It also keeps Ctrl-C, which reaches the main thread alone, from tearing a write apart.

    Args:
        sink: does the writing; closed with this one.
        capacity: frames that may wait.
        drop: when the queue is full, leave a frame out rather than wait (live).
    """

    def __init__(self, sink: Sink, *, capacity: int = 8, drop: bool = False) -> None:
        self._sink, self._drop = sink, drop
        self._queue: queue.Queue[tuple[Frame, FrameResult] | None] = queue.Queue(capacity)
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Queue a frame; raises what an earlier one met."""
        self._raise_error()
        try:
            self._queue.put((frame, result), block=not self._drop)
        except queue.Full:
            return

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        failed = False
        # After an error the queue is still emptied, so that nobody waits for a place in it forever.
        while (item := self._queue.get()) is not None:
            if failed:
                continue
            try:
                self._sink.write(*item)
            except BaseException as error:
                self._error, failed = error, True
        try:
            self._sink.close()
        except BaseException as error:
            self._error = self._error or error
