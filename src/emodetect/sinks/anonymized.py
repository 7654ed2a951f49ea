"""A sink that never sees a face."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from typing_extensions import override

from emodetect.drawing.anonymize import anonymize
from emodetect.faces.hiding import HiddenFaces
from emodetect.sinks.base import Sink
from emodetect.types import Box, Frame, FrameResult

HIDDEN_SECONDS = 0.3
"""Seconds before and after a sight for which the place stays hidden: a face is found some frames after it has come, and now and
then lost between two sights. So much of the source waits in memory."""


class AnonymizedSink(Sink):
    """Hides all faces, and what may be one, before frames go on to another sink.

    A place is hidden from a little before anything was seen there until a little after.

    Args:
        sink: gets the frames, in order, some of them later; closed with this one.
        method: as for `anonymize`.
        hidden: finds the faces; None for one of its own.
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
