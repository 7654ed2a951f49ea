"""Face detection for anonymization, which includes small and doubtful faces."""

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
"""Coarser and less strict than for reading emotions: a false box does no harm, a missed face does."""


class HiddenFaces:
    """Finds all possible face regions of a frame, from 24 pixels on, with the cascade and the network.

    Thread-safe. If OpenCV has no cascades only the network is used, and the logger ``emodetect`` says so.
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
        """All face regions: those of the result and the additional ones."""
        with self._lock:
            if self._last[0] is not frame.image:  # several outputs share the search
                found = [one.box for detector in self._detectors for one in detector.detect(frame.image)]
                self._last = frame.image, tuple(found)
            return (*result.seen, *(reading.box for reading in result.readings), *self._last[1])
