"""Finding faces that are to be hidden: small and doubtful ones, too, whatever is looked for to be read."""

from __future__ import annotations

import logging
import threading

from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.cascade_file import missing_classifier
from emodetect.faces.detector import WINDOW, FaceDetector, MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.types import Box, Frame, FrameResult, Image

_log = logging.getLogger(__name__)

_FACTOR, _NEIGHBORS, _SCORE = 1.2, 3, 0.4
"""Coarser and less strict than where faces are to be read: a box too many does no harm, and one too few does."""


class HiddenFaces:
    """All places of a frame in which there may be a face, found by the cascade or the network, from 24 pixels on.

    Safe to share among threads. Where OpenCV has no cascades the network looks alone, which the logger ``emodetect`` says.
    """

    def __init__(self) -> None:
        smallest = MinFace(WINDOW, relative=False)
        self._detectors: list[FaceDetector] = [BlazeFaceDetector(min_face=smallest, min_score=_SCORE)]
        if missing := missing_classifier():
            _log.warning("%s, so that the network alone finds faces to hide", missing)
        else:
            self._detectors.append(HaarDetector(scale_factor=_FACTOR, min_neighbors=_NEIGHBORS, min_face=smallest))
        self._lock = threading.Lock()
        self._last: tuple[Image | None, tuple[Box, ...]] = None, ()

    def find(self, frame: Frame, result: FrameResult) -> tuple[Box, ...]:
        """The places that the result has, and those that it leaves out."""
        with self._lock:
            if self._last[0] is not frame.image:  # several outputs hide the same faces
                found = [one.box for detector in self._detectors for one in detector.detect(frame.image)]
                self._last = frame.image, tuple(found)
            return (*result.seen, *(reading.box for reading in result.readings), *self._last[1])
