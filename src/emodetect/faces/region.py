"""The part of a picture in which faces are looked for."""

from __future__ import annotations

from dataclasses import dataclass

from emodetect.errors import UsageError
from emodetect.types import Box


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels, or in shares of the picture's width and height where ``relative``."""

    x: float
    y: float
    width: float
    height: float
    relative: bool

    def box(self, size: tuple[int, int]) -> Box:
        """The rectangle in whole pixels of a picture of this width and height.

        Raises:
            UsageError: it reaches outside, or holds no pixel.
        """
        across, down = size if self.relative else (1, 1)
        left, top = round(self.x * across), round(self.y * down)
        box = Box(left, top, round((self.x + self.width) * across) - left, round((self.y + self.height) * down) - top)
        if box.width < 1 or box.height < 1 or box.clipped(*size) != box:
            what = f"{box.width} x {box.height} pixels at {box.x}, {box.y}"
            raise UsageError(f"`region`: {what} do not lie in the picture of {size[0]} x {size[1]}", parameter="region")
        return box
