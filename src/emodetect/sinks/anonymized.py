"""A sink that never sees a face."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from typing_extensions import override

from emodetect.anonymize import anonymize
from emodetect.sinks.base import Sink
from emodetect.types import Box, Frame, FrameResult

_SPAN = 0.3
"""Seconds before and after a sight for which the place stays hidden: a face is found some frames after it has come, and now and
then lost between two sights. So much of the source waits in memory."""


class AnonymizedSink(Sink):
    """Hides all faces, and what may be one, before frames go on to another sink.

    A place is hidden from a little before anything was seen there until a little after. A frame waits until the scene has been
    looked at so much later, however long that takes in live; between two looks what was seen in both is hidden.

    Args:
        sink: gets the frames, in order, some of them later; closed with this one.
        method: as for `anonymize`.
    """

    def __init__(self, sink: Sink, method: str) -> None:
        self._sink, self._method = sink, method
        self._waiting: deque[tuple[Frame, FrameResult]] = deque()
        self._looks: list[tuple[float, set[Box]]] = []
        self._expected: deque[tuple[float, set[Box]]] = deque()

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        self._waiting.append((frame, result))
        self._expected.append((result.timestamp, {reading.box for reading in result.readings}))
        looked = result.timestamp if result.seen_at is None else result.seen_at
        if not self._looks or looked > self._looks[-1][0]:
            self._looks.append((looked, set()))
        self._looks[-1][1].update(result.seen)
        while self._waiting and looked - self._waiting[0][1].timestamp >= _SPAN:
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
        now = result.timestamp
        while now - self._expected[0][0] > _SPAN:
            self._expected.popleft()
        while len(self._looks) > 1 and self._looks[1][0] < now - _SPAN:
            self._looks.pop(0)
        # However long ago the last look was, and however late the next one: at least these two count.
        last = max((time for time, _ in self._looks if time <= now), default=now)
        following = min((time for time, _ in self._looks if time >= now), default=now)
        start, end = min(last, now - _SPAN), max(following, now + _SPAN)
        boxes = {box for time, seen in self._looks if start <= time <= end for box in seen}
        boxes |= {box for time, seen in self._expected if time - now <= _SPAN for box in seen}
        self._sink.write(replace(frame, image=anonymize(frame.image, boxes, self._method)), result)
