"""The server's own source: a camera, clip or stream, read in a thread, with its newest results for any number of viewers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import cv2

from emodetect.drawing import overlay
from emodetect.errors import EmodetectError, first_line
from emodetect.pipeline import EmotionPipeline
from emodetect.serve.metrics import Metrics
from emodetect.serve.newest import Newest
from emodetect.sinks.base import Sink
from emodetect.sources.camera import LiveCapture
from emodetect.types import Frame, FrameResult

_log = logging.getLogger(__name__)

BOUNDARY = "frame"
"""Boundary between the pictures of ``/v1/live.mjpg``."""

_DELIMITER = f"{2 * '-'}{BOUNDARY}"

_QUALITY = 80
"""Quality of the JPEG pictures, 0 to 100."""

_SILENCE_SECONDS = 10.0
"""Interval of keep-alive messages, which detect lost connections."""


_JOIN_SECONDS = 5.0
"""Time-out for the end of the thread; a call of a camera's driver may never return."""


class LiveFrame:
    """A frame of the source with its result, encoded once for all viewers.

    Args:
        frame: the frame.
        result: its result.
    """

    def __init__(self, frame: Frame, result: FrameResult) -> None:
        self._frame, self._result = frame, result
        self._encoding = threading.Lock()
        self._pictures: dict[bool, bytes] = {}

    def as_dict(self) -> dict[str, Any]:
        """Convert the result to a dictionary, as in a log, with width and height of the picture, pixels."""
        height, width = self._frame.image.shape[:2]
        return self._result.as_dict() | {"width": width, "height": height}

    def picture(self, *, annotated: bool) -> bytes:
        """Encode the picture as JPEG.

        Args:
            annotated: whether boxes and labels are drawn in it.
        """
        with self._encoding:
            if annotated not in self._pictures:
                image = overlay.draw(self._frame.image, self._result.readings) if annotated else self._frame.image
                self._pictures[annotated] = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
            return self._pictures[annotated]


class LiveFeed:
    """Reads the source in a thread, publishes each result, and passes the newest frame to each viewer.

    A slow viewer gets fewer frames.

    Args:
        capture: source to read.
        pipeline: creates the pipeline; called in the thread.
        publisher: receives each result; closed at the end of the source.
        metrics: counts frames.
        format_error: formats an error as one line.
        report: called with one line: the error that ended the source or a publisher, and its consequence.
    """

    def __init__(
        self,
        capture: LiveCapture,
        pipeline: Callable[[], EmotionPipeline],
        publisher: Sink,
        metrics: Metrics,
        *,
        format_error: Callable[[EmodetectError], str],
        report: Callable[[str], None],
    ) -> None:
        self._capture, self._pipeline, self._publisher, self._metrics = capture, pipeline, publisher, metrics
        self._format_error, self._report = format_error, report
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers: set[Newest[LiveFrame]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self.state = "opening"

    @property
    def has_ended(self) -> bool:
        """Whether the source itself has ended, with or without an error, rather than the server."""
        return self.state in ("ended", "failed")

    def start(self) -> None:
        """Start reading; call it in the viewers' event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """End the viewers' streams and the thread. Thread-safe."""
        self._stopping.set()
        if self._loop is not None:
            self._in_loop(self._end)

    def join(self) -> None:
        """Wait for the thread to end and close the source."""
        if self._thread.ident:
            self._thread.join(timeout=_JOIN_SECONDS)

    @contextlib.contextmanager
    def viewer(self) -> Iterator[Newest[LiveFrame]]:
        """Register a viewer for the duration of a block; yields the newest frames."""
        frames: Newest[LiveFrame] = Newest()
        if self.has_ended or self._stopping.is_set():
            frames.close()
        self._viewers.add(frames)
        try:
            yield frames
        finally:
            self._viewers.discard(frames)

    def _run(self) -> None:
        state = "failed"
        try:
            with self._capture as capture:
                pipeline = self._pipeline()
                skipped = 0
                for frame in capture:
                    if self._stopping.is_set():
                        break
                    self.state = "live"
                    start = time.perf_counter()
                    result = pipeline.analyze(frame)
                    self._metrics.inference_seconds.observe(time.perf_counter() - start)
                    self._metrics.frames_read.inc()
                    self._metrics.frames_skipped.inc(capture.dropped - skipped)
                    skipped = capture.dropped
                    with self._publishing():
                        self._publisher.write(frame, result)
                    self._in_loop(self._show, LiveFrame(frame, result))
            state = "stopped" if self._stopping.is_set() else "ended"
        except EmodetectError as error:
            self._report(f"{self._format_error(error)}; the server runs on without its source")
        except Exception as error:  # viewers must be notified of the end
            _log.error("the source: an internal error (%s)", first_line(error), exc_info=error)
        finally:
            self.state = state
            self._in_loop(self._end)
            if self.has_ended:  # notify consumers, although the server keeps running
                with self._publishing():
                    self._publisher.close()

    @contextlib.contextmanager
    def _publishing(self) -> Iterator[None]:
        """Report a failed publisher, without ending the source or the other publishers."""
        try:
            yield
        except EmodetectError as error:
            self._report(f"{self._format_error(error)}; the server runs on without this publisher")

    def _in_loop(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)

    def _show(self, frame: LiveFrame) -> None:
        for viewer in self._viewers:
            viewer.put(frame)

    def _end(self) -> None:
        for viewer in self._viewers:
            viewer.close()


async def as_events(frames: Newest[LiveFrame], feed: LiveFeed) -> AsyncIterator[str]:
    """Yield results as server-sent events; at the end of the source, the event ``end`` with its state.

    Args:
        frames: the newest frames.
        feed: their source.
    """
    yield ": results follow\n\n"
    while True:
        try:
            frame = await asyncio.wait_for(frames.take(), _SILENCE_SECONDS)
        except asyncio.TimeoutError:
            yield ": nothing new\n\n"
            continue
        if frame is None:
            if not feed.has_ended:  # the server is shutting down, and may be restarted
                return
            yield f"event: end\ndata: {json.dumps({'state': feed.state})}\n\n"
            return
        record = frame.as_dict()
        yield f"id: {record['frame']}\ndata: {json.dumps(record)}\n\n"


async def as_pictures(frames: Newest[LiveFrame], *, annotated: bool) -> AsyncIterator[bytes]:
    """Yield pictures as ``multipart/x-mixed-replace``, each with the frame's number in the header X-Frame.

    Args:
        frames: the newest frames.
        annotated: whether boxes and labels are drawn on them.
    """
    while (frame := await frames.take()) is not None:
        picture = await asyncio.to_thread(frame.picture, annotated=annotated)
        record = frame.as_dict()
        head = f"{_DELIMITER}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\nX-Frame: {record['frame']}\r\n\r\n"
        yield head.encode() + picture + b"\r\n"
