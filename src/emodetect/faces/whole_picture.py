"""Pictures that are cropped faces already: the whole of each is taken for one face, and nothing is looked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from emodetect.faces.detector import MinFace
from emodetect.faces.tracker import FaceTracker, Track
from emodetect.types import Box, Detection, Face, Image

CROP_SIDE = 256
"""Largest side, pixels, of a square picture that is probably a cropped face where no face is found in it."""

_FEWEST_CROPS = 3
"""So many pictures must look like crops before that is said."""


class WholePicture:
    """Takes each picture, or region of one, for one face.

    Attributes:
        is_certain: True.
        min_face: not used.
    """

    is_certain = True

    def __init__(self) -> None:
        self.min_face = MinFace(0.0, relative=True)

    def detect(self, image: Image) -> list[Detection]:
        """The whole of a picture, uint8 (height, width, 3)."""
        height, width = image.shape[:2]
        return [Detection(Box(0, 0, width, height), confidence=1)]

    def look(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """As `detect`."""
        return self.detect(image)

    def tracker(self) -> FaceTracker:
        """A tracker that keeps the one face."""
        return _OnePerson()


class _OnePerson(FaceTracker):
    """Has one face, with the number 1, where the detector last saw it: it is never lost, and never moves on by itself."""

    def __init__(self) -> None:
        super().__init__(hold=math.inf, forget=math.inf)

    def update(self, detections: Sequence[Detection], timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """Take the detections of one frame; as `FaceTracker.update`."""
        self._looked = timestamp
        self._tracks = [Track.of(found.box, timestamp, number=1) for found in detections[:1]]
        return self.faces(timestamp, size)


def look_like_crops(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether pictures in which no face was found are probably cropped faces: several, and half of them small squares.

    Args:
        sizes: width and height of each, pixels.
    """
    crops = sum(width == height <= CROP_SIDE for width, height in sizes)
    return crops >= _FEWEST_CROPS and crops >= len(sizes) / 2
