"""Cropped faces as input: each whole picture counts as one face, without detection."""

from __future__ import annotations

import math
from collections.abc import Sequence

from emodetect.faces.detector import MinFace
from emodetect.faces.tracker import FaceTracker, Track
from emodetect.types import Box, Detection, Face, Image

CROP_SIDE = 256
"""Maximum side, pixels, of a square picture without a detected face that is probably a cropped face."""

_MIN_CROPS = 3
"""Minimum number of such pictures for a hint."""


class WholePicture:
    """Takes each picture, or its region of interest, for one face.

    Attributes:
        is_certain: True.
        min_face: not used.
    """

    is_certain = True

    def __init__(self) -> None:
        self.min_face = MinFace(0.0, relative=True)

    def detect(self, image: Image) -> list[Detection]:
        """Return the whole picture, uint8 (height, width, 3), as one detection."""
        height, width = image.shape[:2]
        return [Detection(Box(0, 0, width, height), confidence=1)]

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Return the whole picture, as `detect`."""
        return self.detect(image)

    def tracker(self) -> FaceTracker:
        """Create a tracker with a single face."""
        return _OnePerson()


class _OnePerson(FaceTracker):
    """Tracks a single face with the id 1 at the last detected place; it is never lost and never extrapolated."""

    def __init__(self) -> None:
        super().__init__(hold=math.inf, forget=math.inf)

    def update(self, detections: Sequence[Detection], timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """Add the detections of a frame; as `FaceTracker.update`."""
        self._last_update = timestamp
        self._tracks = [Track.from_box(found.box, timestamp, number=1) for found in detections[:1]]
        return self.faces(timestamp, size)


def look_like_crops(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether pictures without a detected face are probably cropped faces: several, and half of them small squares.

    Args:
        sizes: width and height of each, pixels.
    """
    crops = sum(width == height <= CROP_SIDE for width, height in sizes)
    return crops >= _MIN_CROPS and crops >= len(sizes) / 2
