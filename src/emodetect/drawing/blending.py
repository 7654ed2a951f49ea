"""Alpha blending of cached texts and rounded rectangles, which are rendered once and blended into every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.drawing.palette import BLACK, Color
from emodetect.types import Box, Image


@dataclass(frozen=True)
class Stamp:
    """A small image with premultiplied alpha.

    Attributes:
        kept: uint8 (height, width, 3), inverse alpha: 255 keeps the background, 0 replaces it.
        added: uint8 (height, width, 3) BGR, premultiplied color.
    """

    kept: Image
    added: Image

    def blend(self, canvas: Image, corner: tuple[int, int]) -> None:
        """Blend the stamp into an image; parts outside the image are clipped.

        Args:
            canvas: uint8 (height, width, 3) BGR, drawn on.
            corner: x and y of the top left corner, pixels.
        """
        x, y = corner
        left, top = max(0, -x), max(0, -y)
        area = canvas[y + top : max(0, y + self.kept.shape[0]), x + left : max(0, x + self.kept.shape[1])]
        height, width = area.shape[:2]
        if not height or not width:
            return
        part = slice(top, top + height), slice(left, left + width)
        cv2.multiply(area, self.kept[part], dst=area, scale=1 / 255)
        cv2.add(area, self.added[part], dst=area)


def stamp(coverage: npt.NDArray[np.float32], color: Color) -> Stamp:
    """Create a stamp of one color.

    Args:
        coverage: float32 (height, width), 0 to 1.
        color: BGR.
    """
    return _layered((coverage, color))


def _layered(*layers: tuple[npt.NDArray[np.float32], Color]) -> Stamp:
    """Create a stamp of several layers, each a coverage and its color, the lowest first."""
    kept = np.ones_like(layers[0][0])[..., np.newaxis]
    added = np.zeros((*kept.shape[:2], 3), np.float32)
    for coverage, color in layers:
        left = 1 - coverage[..., np.newaxis]
        kept, added = kept * left, added * left + coverage[..., np.newaxis] * np.asarray(color, np.float32)
    # Opaque pixels get exactly the color.
    return Stamp(np.repeat(np.round(255 * kept), 3, axis=2).astype(np.uint8), np.round(added).astype(np.uint8))


def draw_plate(
    canvas: Image, box: Box, radius: float, color: Color, *, opacity: float = 1.0, outline: Color | None = None
) -> None:
    """Draw a rectangle with rounded, anti-aliased corners.

    Args:
        canvas: uint8 (height, width, 3) BGR, drawn on.
        box: the rectangle; parts outside the image are clipped.
        radius: of its corners, pixels.
        color: BGR.
        opacity: 0 to 1.
        outline: color of a line of one pixel along its inner edge, BGR; None for no line.
    """
    if box.width > 0 and box.height > 0:
        _plate(box.width, box.height, radius, color, opacity, outline).blend(canvas, (box.x, box.y))


@lru_cache(maxsize=64)
def _plate(width: int, height: int, radius: float, color: Color, opacity: float, outline: Color | None) -> Stamp:
    whole = _rounded(width, height, radius, 0)
    if outline is None:
        return stamp(opacity * whole, color)
    return _layered((opacity * whole, outline), (_rounded(width, height, radius, 1), color))


def _rounded(width: int, height: int, radius: float, inset: int) -> npt.NDArray[np.float32]:
    """Coverage of a rounded rectangle that is smaller by the inset on each side; float32 (height, width), 0 to 1."""
    corner = max(0.0, min(radius, width / 2, height / 2) - inset)
    # Distance of each pixel's center from the rectangle in which the corners' centers are.
    beyond = [
        np.maximum(np.abs(np.arange(side, dtype=np.float32) + np.float32(0.5 - side / 2)) - (side / 2 - inset - corner), 0)
        for side in (width, height)
    ]
    distance = np.hypot(beyond[0][np.newaxis], beyond[1][:, np.newaxis])
    return np.asarray(np.clip(corner + 0.5 - distance, 0, 1), np.float32)


def draw_frame(canvas: Image, box: Box, thickness: int, color: Color, edge: int) -> None:
    """Draw the sides of a rectangle as crisp lines with dark lines on both sides.

    Args:
        canvas: uint8 (height, width, 3) BGR, drawn on.
        box: the rectangle; its outermost pixels are in the middle of the line.
        thickness: of the colored line, pixels.
        color: BGR.
        edge: thickness of each dark line, pixels.
    """
    _draw_sides(canvas, box, thickness // 2 + edge, (thickness - 1) // 2 + edge, BLACK)
    _draw_sides(canvas, box, thickness // 2, (thickness - 1) // 2, color)


def _draw_sides(canvas: Image, box: Box, outer: int, inner: int, color: Color) -> None:
    """Draw the sides of a box as lines that extend ``outer`` pixels outward and ``inner`` pixels inward."""
    left, top, right, bottom = box.x, box.y, box.x + box.width - 1, box.y + box.height - 1
    for start, end in (
        ((left - outer, top - outer), (right + outer, top + inner)),
        ((left - outer, bottom - inner), (right + outer, bottom + outer)),
        ((left - outer, top - outer), (left + inner, bottom + outer)),
        ((right - inner, top - outer), (right + outer, bottom + outer)),
    ):
        cv2.rectangle(canvas, start, end, color, cv2.FILLED)
