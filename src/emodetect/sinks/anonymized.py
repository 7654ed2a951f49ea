"""A sink that hides faces before frames reach other sinks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from typing_extensions import override

from emodetect.drawing.anonymize import anonymize
from emodetect.faces.hiding import HiddenFaces
from emodetect.faces.locator import FaceLocator
from emodetect.sinks.base import Sink
from emodetect.types import Box, Frame, FrameResult

HIDDEN_SECONDS = 0.3
"""Seconds for which a place stays hidden before and after a face is seen there. A face is found some frames after it appears, and
is sometimes missed in between. That much of the source is kept in memory."""


class FramesBetween:
    """The faces in frames that are not written themselves but lie between or beside those that are.

    Safe to share between the thread that reads the frames and the one that writes them.

    Args:
        locator: finds the faces that are read, without a tracker; None where every frame is written.
        hidden: finds further ones; None to create it.

    Attributes:
        hidden: as given.
    """

    def __init__(self, locator: FaceLocator | None = None, hidden: HiddenFaces | None = None) -> None:
        self._locator, self.hidden = locator, hidden or HiddenFaces()
        self._seen: deque[tuple[float, tuple[Box, ...]]] = deque()
        self._lock = threading.Lock()

    def look(self, frame: Frame) -> None:
        """Look for faces in a frame; frames come in order, each before the frames that are written after it."""
        seen = self._locator.locate(frame).seen if self._locator else ()
        found = self.hidden.find(frame, FrameResult(frame.index, frame.timestamp, (), seen))
        with self._lock:
            self._seen.append((frame.timestamp, found))

    def near(self, timestamp: float) -> set[Box]:
        """The places in which faces were seen shortly before a time, in seconds, or after it; times must not decrease."""
        with self._lock:
            while self._seen and timestamp - self._seen[0][0] > HIDDEN_SECONDS:
                self._seen.popleft()
            return {box for time, boxes in self._seen if time - timestamp <= HIDDEN_SECONDS for box in boxes}


class AnonymizedSink(Sink):
    """Hides all faces, and what may be one, before frames reach other sinks.

    A place is hidden from shortly before a face was seen there until shortly after.

    Args:
        sinks: get the frames in order, some of them with a delay; closed with this one.
        method: as for `anonymize`.
        between: what was seen in frames that are not written; None where all are.
    """

    def __init__(self, sinks: Sequence[Sink], method: str, between: FramesBetween | None = None) -> None:
        self._sinks, self._method, self._between = sinks, method, between or FramesBetween()
        self._waiting: deque[tuple[Frame, FrameResult]] = deque()
        self._seen: deque[tuple[float, tuple[Box, ...]]] = deque()

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        self._waiting.append((frame, result))
        self._seen.append((result.timestamp, self._between.hidden.find(frame, result)))
        while self._waiting and result.timestamp - self._waiting[0][1].timestamp >= HIDDEN_SECONDS:
            self._pass_on()

    @override
    def close(self) -> None:
        try:
            while self._waiting:
                self._pass_on()
        finally:
            with ExitStack() as stack:
                for sink in self._sinks:
                    stack.callback(sink.close)

    def _pass_on(self) -> None:
        frame, result = self._waiting.popleft()
        while result.timestamp - self._seen[0][0] > HIDDEN_SECONDS:
            self._seen.popleft()
        boxes = {box for timestamp, seen in self._seen if timestamp - result.timestamp <= HIDDEN_SECONDS for box in seen}
        boxes |= self._between.near(result.timestamp)
        hidden = replace(frame, image=anonymize(frame.image, boxes, self._method))
        for sink in self._sinks:
            sink.write(hidden, result)
