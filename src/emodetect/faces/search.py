"""Finding faces at speed: the whole picture now and then, in between only where faces are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.haar import FaceDetector
from emodetect.faces.tracker import Place
from emodetect.types import Detection

SCAN_EVERY = 0.4
"""Seconds between two scans of the whole picture: how late a face may be found that comes while others are known."""

_IDLE = 0.25
"""Share of that while nobody is known: there is nothing else to do, and nobody should have to wait."""

_FASTEST = 4.0
"""How far a face moves at most, in its own widths a second."""

_MARGINS = 0.1, 0.5
"""How far round a known face is searched, as shares of its side: what the cascade's boxes scatter by even where nothing
moves, and the most that is worth it."""

_SAME = 0.3
"""Intersection over union from which a detection is the known face."""


class FaceSearch:
    """Decides, frame by frame, whether to scan the whole picture or only around the faces that are known.

    The whole picture is scanned at steps of the frames' own time, and at once when a shown face is not found near where it
    was. What is found depends on the frames alone and never on how fast the machine is.

    Args:
        detector: does the looking.
        every: seconds between two scans of the whole picture; 0 scans it in every frame.

    Attributes:
        full_scans: how often the whole picture was scanned.
    """

    def __init__(self, detector: FaceDetector, *, every: float = SCAN_EVERY) -> None:
        self._detector, self._every = detector, every
        self._last = self._scanned = float("-inf")
        self.full_scans = 0

    def find(self, gray: npt.NDArray[np.uint8], timestamp: float, places: Sequence[Place] = ()) -> list[Detection]:
        """Find faces in uint8 (height, width); the surest first.

        Args:
            gray: the picture.
            timestamp: its time, seconds, not before the last one's.
            places: where faces were in the frame before.
        """
        elapsed, self._last = timestamp - self._last, timestamp
        if timestamp - self._scanned < (self._every if places else _IDLE * self._every):
            margin = min(_MARGINS[0] + _FASTEST * elapsed, _MARGINS[1])
            found = self._detector.detect_near(gray, [place.box for place in places], margin)
            shown = [place.box for place in places if place.shown]
            overlaps = intersection_over_union(shown, [detection.box for detection in found])
            if (overlaps >= _SAME).any(axis=1).all():
                return found
        self._scanned = timestamp
        self.full_scans += 1
        return self._detector.detect(gray)
