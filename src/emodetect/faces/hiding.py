"""Finding faces that are to be hidden: small and doubtful ones, too, whatever is looked for to be read."""

from __future__ import annotations

import threading

from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.detector import WINDOW, MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.types import Box, Frame, FrameResult, Image

_FACTOR, _NEIGHBORS, _SCORE = 1.2, 3, 0.4
"""Coarser and less strict than where faces are to be read: a box too many does no harm, and one too few does."""


class HiddenFaces:
    """All places of a frame in which there may be a face, found by the cascade or the network, from 24 pixels on.

    Safe to share among threads.
    """

    def __init__(self) -> None:
        smallest = MinFace(WINDOW, relative=False)
        self._cascade = HaarDetector(scale_factor=_FACTOR, min_neighbors=_NEIGHBORS, min_face=smallest)
        self._network = BlazeFaceDetector(min_face=smallest, min_score=_SCORE)
        self._lock = threading.Lock()
        self._last: tuple[Image | None, tuple[Box, ...]] = None, ()

    def find(self, frame: Frame, result: FrameResult) -> tuple[Box, ...]:
        """The places that the result has, and those that it leaves out."""
        with self._lock:
            if self._last[0] is not frame.image:  # several outputs hide the same faces
                found = [*self._cascade.detect(frame.image), *self._network.detect(frame.image)]
                self._last = frame.image, tuple(detection.box for detection in found)
            return (*result.seen, *(reading.box for reading in result.readings), *self._last[1])
