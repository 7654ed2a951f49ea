"""Combination of two detectors: the network, and the cascade for images in which the network finds no face."""

from __future__ import annotations

from collections.abc import Sequence

from emodetect.faces.detector import FaceDetector, MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.types import Box, Detection, Image


class CombinedDetector:
    """Runs a second detector if the first one finds no face.

    Thread-safe if both detectors are.

    Args:
        first: runs on every image.
        second: runs if the first one finds no face; in quick detections only while a face is known.

    Attributes:
        min_face: minimum face size of both detectors.
        is_certain: False.
    """

    is_certain = False

    def __init__(self, first: FaceDetector, second: FaceDetector) -> None:
        self._first, self._second = first, second

    @property
    def min_face(self) -> MinFace:
        """Minimum face size of both detectors."""
        return self._first.min_face

    @min_face.setter
    def min_face(self, smallest: MinFace) -> None:
        self._first.min_face = self._second.min_face = smallest

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR, the most confident first."""
        return self._first.detect(image) or self._second.detect(image)

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Find faces in the next frame of a clip; as `FaceDetector.detect_quick`.

        The second detector runs only while a face is known. It can thus follow a face that only it finds, and costs nothing
        otherwise.
        """
        return self._first.detect_quick(image, known) or (self._second.detect(image) if known else [])

    def tracker(self) -> FaceTracker:
        """Create the first detector's tracker."""
        return self._first.tracker()
