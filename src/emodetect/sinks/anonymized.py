"""Anonymization of frames before they reach other sinks."""

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
"""Seconds for which a region stays hidden before and after a face is found in it. A face is found some frames after it appears,
and is sometimes missed in between. Frames of this duration are kept in memory."""


class FramesBetween:
    """Face regions in frames that are not written, but lie between or next to written ones.

    Thread-safe for a reading and a writing thread.

    Args:
        locator: finds the faces, without a tracker; None if every frame is written.
        hidden: finds further face regions; None to create it.

    Attributes:
        hidden: as given.
    """

    def __init__(self, locator: FaceLocator | None = None, hidden: HiddenFaces | None = None) -> None:
        self._locator, self.hidden = locator, hidden or HiddenFaces()
        self._seen: deque[tuple[float, tuple[Box, ...]]] = deque()
        self._lock = threading.Lock()

    def add(self, frame: Frame) -> None:
        """Find face regions in a frame; frames come in order, each before later frames are written."""
        seen = self._locator.locate(frame).seen if self._locator else ()
        found = self.hidden.find(frame, FrameResult(frame.index, frame.timestamp, (), seen))
        with self._lock:
            self._seen.append((frame.timestamp, found))

    def regions_near(self, timestamp: float) -> set[Box]:
        """Face regions shortly before and after a time, in seconds; times must not decrease."""
        with self._lock:
            while self._seen and timestamp - self._seen[0][0] > HIDDEN_SECONDS:
                self._seen.popleft()
            return {box for time, boxes in self._seen if time - timestamp <= HIDDEN_SECONDS for box in boxes}


class AnonymizedSink(Sink):
    """Hides all face regions before frames reach other sinks.

    A region is hidden from shortly before a face was found in it until shortly after.

    Args:
        sinks: receive the frames in order, some of them with a delay; closed with this sink.
        method: as for `anonymize`.
        between: face regions in frames that are not written; None if all are.
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
        boxes |= self._between.regions_near(result.timestamp)
        hidden = replace(frame, image=anonymize(frame.image, boxes, self._method))
        for sink in self._sinks:
            sink.write(hidden, result)
