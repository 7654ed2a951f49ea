"""The eight orientations of a stored picture, and its rotation to upright."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from emodetect.types import Image

_MAX_DEVIATION = 1.0
"""Maximum deviation of a rotation from a multiple of 90 degrees."""


@dataclass(frozen=True)
class Orientation:
    """Transform of a stored picture to upright: first a transposition, then flips.

    Attributes:
        is_transposed: whether rows become columns.
        is_mirrored: whether it is then flipped horizontally.
        is_flipped: whether it is then flipped vertically.
    """

    is_transposed: bool = False
    is_mirrored: bool = False
    is_flipped: bool = False

    @classmethod
    def from_exif(cls, number: int) -> Orientation:
        """The orientation with this number in EXIF and TIFF.

        Raises:
            ValueError: the number is not from 1 to 8.
        """
        if not 1 <= number <= 8:
            raise ValueError(f"expected an orientation from 1 to 8, got {number}")
        return cls(number >= 5, number in (2, 3, 6, 7), number in (3, 4, 7, 8))

    @classmethod
    def from_matrix(cls, matrix: Sequence[int]) -> tuple[Orientation, float]:
        """The orientation nearest to a display matrix.

        Args:
            matrix: nine numbers, row by row, as in a ``tkhd`` box: a pixel (x, y) is shown at
                (``matrix[0] * x + matrix[3] * y``, ``matrix[1] * x + matrix[4] * y``), times a scale, moved into the picture.

        Returns:
            The orientation, and the difference of the matrix from it in degrees.

        Raises:
            ValueError: the matrix maps the picture onto a line.
        """
        a, b, c, d = (float(matrix[place]) for place in (0, 1, 3, 4))
        if a * d == b * c:
            raise ValueError("expected a display matrix that can be inverted")
        across, down = math.atan2(b, a), math.atan2(d, c)  # directions of the rows and columns of the stored picture
        sign = 1 if a * d > b * c else -1  # -1: mirrored
        turned = round(2 * across / math.pi) * math.pi / 2
        off = max(abs(math.remainder(off, 2 * math.pi)) for off in (across - turned, down - turned - sign * math.pi / 2))
        off = math.degrees(off)
        cosine, sine = round(math.cos(turned)), round(math.sin(turned))
        found = cls(True, sign * sine > 0, sine < 0) if sine else cls(False, cosine < 0, sign * cosine < 0)
        return found, off if off > _MAX_DEVIATION else 0.0

    def upright(self, image: Image) -> Image:
        """Rotate a picture upright; returns ``image`` itself if it is upright already."""
        if self.is_transposed:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.is_mirrored or self.is_flipped:
            axis = -1 if self.is_mirrored and self.is_flipped else int(self.is_mirrored)
            image = np.asarray(cv2.flip(image, axis), np.uint8)
        return image

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture, pixels.

        Args:
            width: width of the stored picture, pixels.
            height: height of the stored picture, pixels.
        """
        return (height, width) if self.is_transposed else (width, height)
