"""A sink that hides faces before frames reach another sink."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from typing_extensions import override

from emodetect.drawing.anonymize import anonymize
from emodetect.faces.hiding import HiddenFaces
from emodetect.sinks.base import Sink
from emodetect.types import Box, Frame, FrameResult

HIDDEN_SECONDS = 0.3
"""Seconds for which a place stays hidden before and after a face is seen there. A face is found some frames after it appears, and
is sometimes missed in between. That much of the source is kept in memory."""


class AnonymizedSink(Sink):
    """Hides all faces, and what may be one, before frames reach another sink.

    A place is hidden from shortly before a face was seen there until shortly after.

    Args:
        sink: gets the frames in order, some of them with a delay; closed with this one.
        method: as for `anonymize`.
        hidden: finds the faces; None to create one.
    """

    def __init__(self, sink: Sink, method: str, hidden: HiddenFaces | None = None) -> None:
        self._sink, self._method, self._hidden = sink, method, hidden or HiddenFaces()
        self._waiting: deque[tuple[Frame, FrameResult]] = deque()
        self._seen: deque[tuple[float, tuple[Box, ...]]] = deque()

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        self._waiting.append((frame, result))
        self._seen.append((result.timestamp, self._hidden.find(frame, result)))
        while self._waiting and result.timestamp - self._waiting[0][1].timestamp >= HIDDEN_SECONDS:
            self._pass_on()

    @override
    def close(self) -> None:
        try:
            while self._waiting:
                self._pass_on()
        finally:
            self._sink.close()

    def _pass_on(self) -> None:
        frame, result = self._waiting.popleft()
        while result.timestamp - self._seen[0][0] > HIDDEN_SECONDS:
            self._seen.popleft()
        boxes = {box for timestamp, seen in self._seen if timestamp - result.timestamp <= HIDDEN_SECONDS for box in seen}
        self._sink.write(replace(frame, image=anonymize(frame.image, boxes, self._method)), result)
