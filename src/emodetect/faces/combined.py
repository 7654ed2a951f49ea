"""The network and the cascade together: the network looks always, the cascade where the network sees nobody."""

from __future__ import annotations

from collections.abc import Sequence

from emodetect.faces.detector import FaceDetector, MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.types import Box, Detection, Image


class CombinedDetector:
    """Asks a first detector, and a second one while the first sees nobody.

    Safe to share among threads if both are.

    Args:
        first: asked about every picture.
        second: asked about a picture in which the first finds no face; in quick looks only while a face is known.

    Attributes:
        min_face: the smallest face that both look for.
        is_certain: False.
    """

    is_certain = False

    def __init__(self, first: FaceDetector, second: FaceDetector) -> None:
        self._first, self._second = first, second

    @property
    def min_face(self) -> MinFace:
        """The smallest face that both look for."""
        return self._first.min_face

    @min_face.setter
    def min_face(self, smallest: MinFace) -> None:
        self._first.min_face = self._second.min_face = smallest

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR; the surest first."""
        return self._first.detect(image) or self._second.detect(image)

    def look(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Find faces in the next frame of a clip; as `FaceDetector.look`.

        A face that only the second detector sees is thus followed, and where nobody is known that costs nothing.
        """
        return self._first.look(image, known) or (self._second.detect(image) if known else [])

    def tracker(self) -> FaceTracker:
        """The first detector's tracker."""
        return self._first.tracker()
