"""``WS /v1/stream``: a client sends frames and receives a result for each; older waiting frames are skipped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from emodetect.errors import EmodetectError, first_line
from emodetect.serve.engine import Choice, Stream
from emodetect.serve.metrics import Metrics
from emodetect.serve.newest import Newest

_log = logging.getLogger(__name__)

IDLE_SECONDS = 600.0
"""Time-out of a client that sends nothing."""

_MAX_MESSAGE_LENGTH = 1000

_INVALID_NOTE = 'expected {"frame": NUMBER, "time": SECONDS} before a frame'

_MAX_FAILURES = 100
"""Consecutive invalid frames after which a client is disconnected."""

_GOING_AWAY, _POLICY = 1001, 1008
"""WebSocket close codes."""


@dataclass(frozen=True)
class _Incoming:
    """A received frame.

    Attributes:
        number: the client's number of the frame.
        timestamp: seconds.
        received: time of arrival, seconds on the system clock.
        content: an image file; empty if there is an error.
        error: error that is known before decoding.
    """

    number: int
    timestamp: float
    received: float
    content: bytes = b""
    error: str = ""


class Session:
    """The stream of one client.

    A frame is a binary message. A preceding text message may contain its number and timestamp:
    ``{"frame": 17, "time": 1.25}``. Otherwise frames are numbered from 0, and the timestamp is that of the arrival. Each response
    is a JSON text message: the frame's result, or ``{"frame", "error"}``, with ``skipped``, the number of frames since the last
    response that were replaced by newer ones.

    Args:
        socket: the accepted connection.
        stream: analyzes the frames.
        metrics: counts skipped frames.
        max_bytes: maximum size of a frame, bytes.
        max_pixels: maximum number of pixels of a frame.
        format_error: formats an error as one line.
    """

    def __init__(
        self,
        socket: WebSocket,
        stream: Stream,
        metrics: Metrics,
        *,
        max_bytes: int,
        max_pixels: int,
        format_error: Callable[[EmodetectError], str],
    ) -> None:
        self._socket, self._stream, self._metrics = socket, stream, metrics
        self._max_bytes, self._max_pixels, self._format_error = max_bytes, max_pixels, format_error
        self._frames: Newest[_Incoming] = Newest()
        self._start = time.monotonic()
        self._count, self._last, self._failures = 0, -math.inf, 0
        self._next: dict[str, Any] = {}
        self._next_error = ""

    async def run(self, choice: Choice) -> None:
        """Analyze frames until the client disconnects.

        Args:
            choice: backend and detector.
        """
        try:
            await self._stream.choose(choice)
        except EmodetectError as error:
            await self._socket.send_text(json.dumps({"error": self._format_error(error)}))
            await self._socket.close(1011)
            return
        answering = asyncio.create_task(self._answer())
        receiving = asyncio.create_task(self._receive())
        try:
            # A client that does not read its responses delays only itself; its newer frames replace the waiting one.
            await asyncio.wait({answering, receiving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, receiving):
                task.cancel()
            for task in (answering, receiving):
                with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
                    await task

    async def _receive(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), IDLE_SECONDS)
            except asyncio.TimeoutError:
                await self._socket.close(_GOING_AWAY, f"no frame for {IDLE_SECONDS:g} s")
                return
            if message["type"] == "websocket.disconnect":
                return
            if (text := message.get("text")) is not None:
                self._note(text)
            elif (content := message.get("bytes")) is not None:
                self._put(bytes(content))

    def _note(self, text: str) -> None:
        """Store the number and timestamp in a text message for the next frame."""
        try:
            note = json.loads(text) if len(text) <= _MAX_MESSAGE_LENGTH else None
        except (ValueError, RecursionError):
            note = None
        self._next, self._next_error = (note, "") if isinstance(note, dict) else ({}, _INVALID_NOTE)

    def _put(self, content: bytes) -> None:
        note, error, self._next, self._next_error = self._next, self._next_error, {}, ""
        received = time.monotonic()
        number, timestamp = note.get("frame", self._count), note.get("time", received - self._start)
        self._count += 1
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
            error, number = "expected a frame's number as a whole number of at least 0", self._count - 1
        if not isinstance(timestamp, int | float) or isinstance(timestamp, bool) or not 0 <= timestamp < 1e9:
            error, timestamp = "expected a frame's time in seconds", received - self._start
        if len(content) > self._max_bytes:
            error = f"a frame of {len(content)} bytes; at most {self._max_bytes} are taken"
        before = self._frames.replaced
        self._frames.put(_Incoming(number, float(timestamp), received, b"" if error else content, error))
        self._metrics.frames_skipped.inc(self._frames.replaced - before)

    async def _answer(self) -> None:
        answered = 0
        while (frame := await self._frames.take()) is not None:
            skipped, answered = self._frames.replaced - answered, self._frames.replaced
            answer = await self._read(frame)
            self._failures = self._failures + 1 if "error" in answer else 0
            answer["skipped"] = skipped
            answer["milliseconds"] = round(1000 * (time.monotonic() - frame.received), 3)
            await self._socket.send_text(json.dumps(answer))
            if self._failures >= _MAX_FAILURES:
                await self._socket.close(_POLICY, f"{self._failures} frames in a row could not be read")
                return

    async def _read(self, frame: _Incoming) -> dict[str, Any]:
        if frame.error:
            self._metrics.frames_failed.inc()
            return {"frame": frame.number, "error": frame.error}
        if frame.timestamp <= self._last:
            self._metrics.frames_failed.inc()
            times = f"expected a time after {self._last:g} s, got {frame.timestamp:g} s"
            return {"frame": frame.number, "error": f"{times}; faces are followed in frames that come in order"}
        try:
            result, (width, height) = await self._stream.read(frame.content, frame.number, frame.timestamp, self._max_pixels)
        except EmodetectError as error:
            return {"frame": frame.number, "error": self._format_error(error)}
        except Exception as error:  # of a detector or backend; this stream and the others continue
            _log.error("a frame of a stream: an internal error (%s)", first_line(error), exc_info=error)
            return {"frame": frame.number, "error": "an internal error"}
        self._last = frame.timestamp
        return result.as_dict() | {"width": width, "height": height}
