"""What every face detector offers, and the smallest face that it looks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from emodetect.errors import UsageError
from emodetect.text.numbers import MOST_NUMBER, check_number

if TYPE_CHECKING:  # settings are wanted without other packages, for the options of a command line
    from typing_extensions import Self

    from emodetect.faces.tracker import FaceTracker
    from emodetect.types import Box, Detection, Image

WINDOW = 24
"""Side of the cascade's window: the smallest face it can see, pixels of the reduced picture."""


@dataclass(frozen=True)
class MinFace:
    """The smallest face worth finding: in pixels, or as a share of the picture's height where ``relative``."""

    value: float
    relative: bool

    @classmethod
    def of(cls, number: float) -> Self:
        """From 1 on pixels, below it a share.

        Raises:
            UsageError: it is no number, or no size.
        """
        check_number("min_face", number, 1e-3, MOST_NUMBER)
        return cls(number, relative=number < 1)

    def __str__(self) -> str:
        return f"{100 * self.value:g}%" if self.relative else f"{self.value:g}"

    def pixels(self, height: int) -> float:
        """The smallest face's height in a picture of this height, pixels."""
        return self.value * height if self.relative else self.value

    def found_from(self, height: int) -> float:
        """The smallest face's height that is found in a picture of this height, which is never enlarged, pixels."""
        return max(WINDOW, self.pixels(height))


@dataclass(frozen=True)
class DetectorSettings:
    """What finds faces.

    Attributes:
        name: as for `create_detector`.
        cascade: a cascade file (XML); None for the one that comes with emodetect.
        scale_factor: step between the face sizes that are looked at, 1.01 to 2.
        min_neighbors: how many overlapping windows must agree on a face, 1 to 1000.
        min_face: the smallest face to look for.

    Raises:
        UsageError: one of them has another type or is out of range.
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
            "both": f"BlazeFace full range, and where it sees nobody {cascade}",
            "haar": cascade,
            "blazeface": "BlazeFace full range",
        }
        return f"{finders.get(self.name, self.name)}, smallest face {smallest}"


class FaceDetector(Protocol):
    """Anything that finds faces in a picture.

    Attributes:
        min_face: the smallest face to look for; may be changed at any time, also while another thread is looking.
        is_certain: whether what it finds is a face beyond doubt, and needs neither a verifier nor a look where it was.
    """

    min_face: MinFace
    is_certain: bool

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR, as closely as the smallest wanted face needs; the surest first."""

    def look(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Find faces in the next frame of a clip, faster than `detect` where that can be.

        Args:
            image: uint8 (height, width, 3) BGR.
            known: where faces should be by now.

        Returns:
            The faces, known and new ones, the surest first.
        """

    def tracker(self) -> FaceTracker:
        """A new tracker that believes this detector's faces as soon as it should."""
