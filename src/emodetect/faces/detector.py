"""What every face detector offers, and the smallest face that it looks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from emodetect.faces.tracker import FaceTracker
from emodetect.types import Box, Detection

WINDOW = 24
"""Side of the cascade's window: the smallest face it can see, pixels of the reduced picture."""

_Gray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MinFace:
    """The smallest face worth finding: in pixels, or as a share of the picture's height where ``relative``."""

    value: float
    relative: bool

    def pixels(self, height: int) -> float:
        """The smallest face's height in a picture of this height, pixels."""
        return self.value * height if self.relative else self.value

    def found_from(self, height: int) -> float:
        """The smallest face's height that is found in a picture of this height, which is never enlarged, pixels."""
        return max(WINDOW, self.pixels(height))


MIN_FACE = MinFace(0.05, relative=True)
"""The smallest face that a detector looks for by default."""


class FaceDetector(Protocol):
    """Anything that finds faces in a gray picture.

    Attributes:
        min_face: the smallest face to look for; may be changed at any time, also while another thread is looking.
        is_certain: whether what it finds is a face beyond doubt, and needs neither a verifier nor a look where it was.
    """

    min_face: MinFace
    is_certain: bool

    def detect(self, gray: _Gray) -> list[Detection]:
        """Find faces in uint8 (height, width); the surest first."""

    def detect_near(self, gray: _Gray, boxes: Sequence[Box], margin: float) -> list[Detection]:
        """Find faces in uint8 (height, width) near these boxes and about as large; the surest first.

        Args:
            gray: the picture.
            boxes: where to look.
            margin: how far outside its box a face may reach, as a share of the box's side.
        """

    def glance(self, gray: _Gray, known: Sequence[Box]) -> list[Box]:
        """Places in uint8 (height, width), other than the known faces, that are worth a closer look."""

    def tracker(self) -> FaceTracker:
        """A new tracker that believes this detector's faces as soon as it should."""
