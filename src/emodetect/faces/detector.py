"""Interface of face detectors, and their settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from emodetect.errors import UsageError
from emodetect.text.numbers import MAX_NUMBER, check_number

if TYPE_CHECKING:  # the command line imports the settings without NumPy and OpenCV
    from typing_extensions import Self

    from emodetect.faces.tracker import FaceTracker
    from emodetect.types import Box, Detection, Image

WINDOW = 24
"""Side of the cascade's window, and so of the smallest face that it finds, pixels of the reduced image."""


@dataclass(frozen=True)
class MinFace:
    """Minimum face size: pixels, or a fraction of the image's height if ``relative``."""

    value: float
    relative: bool

    @classmethod
    def of(cls, number: float) -> Self:
        """Create from a number: pixels if at least 1, otherwise a fraction.

        Raises:
            UsageError: the value is no number, or not positive.
        """
        check_number("min_face", number, 1e-3, MAX_NUMBER)
        return cls(number, relative=number < 1)

    def __str__(self) -> str:
        return f"{100 * self.value:g}%" if self.relative else f"{self.value:g}"

    def pixels(self, height: int) -> float:
        """Minimum face height in an image of this height, pixels."""
        return self.value * height if self.relative else self.value

    def found_from(self, height: int) -> float:
        """Height of the smallest face that can be found in an image of this height, pixels; images are never enlarged."""
        return max(WINDOW, self.pixels(height))


@dataclass(frozen=True)
class DetectorSettings:
    """Settings of a face detector.

    Attributes:
        name: as for `create_detector`.
        cascade: a cascade file (XML); None for the bundled one.
        scale_factor: ratio of consecutive face sizes in the scan, 1.01 to 2.
        min_neighbors: minimum number of overlapping windows per face, 1 to 1000.
        min_face: minimum face size.

    Raises:
        UsageError: a setting has the wrong type or is out of range.
    """

    name: str = "both"
    cascade: Path | None = None
    scale_factor: float = 1.1
    min_neighbors: int = 5
    min_face: MinFace = MinFace(0.05, relative=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise UsageError(f"detector: expected a name, got {self.name!r}", parameter="detector")
        check_number("scale_factor", self.scale_factor, 1.01, 2)
        check_number("min_neighbors", self.min_neighbors, 1, 1000, whole=True)

    def __str__(self) -> str:
        if self.name == "none":
            return "none: each whole picture is taken for one face"
        smallest = f"{self.min_face} of the height" if self.min_face.relative else f"{self.min_face} pixels"
        cascade = (
            f"{self.cascade or 'the cascade that comes with emodetect'}, scale factor {self.scale_factor:g}, "
            f"{self.min_neighbors} neighbors"
        )
        finders = {
            "both": f"BlazeFace full range; if it finds no face, {cascade}",
            "haar": cascade,
            "blazeface": "BlazeFace full range",
        }
        return f"{finders.get(self.name, self.name)}, smallest face {smallest}"


class FaceDetector(Protocol):
    """Interface of a face detector.

    Attributes:
        min_face: minimum face size; may be changed at any time, also while another thread is detecting.
        is_certain: whether detections are always faces. They are then never verified, and quick detections are not needed.
    """

    min_face: MinFace
    is_certain: bool

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR at all levels, the most confident first."""

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Find faces in the next frame of a clip, if possible faster than `detect`.

        Args:
            image: uint8 (height, width, 3) BGR.
            known: predicted boxes of the known faces.

        Returns:
            The known and new faces, the most confident first.
        """

    def tracker(self) -> FaceTracker:
        """Create a tracker that suits this detector's confidence."""
