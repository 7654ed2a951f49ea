"""Region of interest for face detection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from typing_extensions import Self

from emodetect.errors import UsageError
from emodetect.text.numbers import MAX_NUMBER, check_number
from emodetect.types import Box


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels, or in fractions of the image's width and height if ``relative``."""

    x: float
    y: float
    width: float
    height: float
    relative: bool

    @classmethod
    def of(cls, region: Box | Sequence[float]) -> Self:
        """Create from a box, or from x, y, width and height: pixels, or fractions of the image's size if none of them exceeds 1.

        Raises:
            UsageError: the value is something else, or mixes pixels and fractions.
        """
        if isinstance(region, Box):
            return cls(region.x, region.y, region.width, region.height, relative=False)
        if isinstance(region, str) or not isinstance(region, Iterable) or len(numbers := [*region]) != 4:
            raise UsageError(f"`region`: expected a Box, or x, y, width and height, got {region!r}", parameter="region")
        for number in numbers:
            check_number("region", number, 0, MAX_NUMBER)
        relative = max(numbers) <= 1
        if not relative and any(0 < number < 1 for number in numbers):
            raise UsageError(f"`region`: pixels and shares cannot be mixed, got {region!r}", parameter="region")
        x, y, width, height = numbers
        return cls(x, y, width, height, relative)

    def box(self, size: tuple[int, int]) -> Box:
        """Convert to pixels of an image with this width and height.

        Raises:
            UsageError: the region extends beyond the image, or contains no pixel.
        """
        across, down = size if self.relative else (1, 1)
        left, top = round(self.x * across), round(self.y * down)
        box = Box(left, top, round((self.x + self.width) * across) - left, round((self.y + self.height) * down) - top)
        if box.width < 1 or box.height < 1 or box.clipped(*size) != box:
            what = f"{box.width} x {box.height} pixels at {box.x}, {box.y}"
            raise UsageError(f"`region`: {what} do not lie in the picture of {size[0]} x {size[1]}", parameter="region")
        return box
