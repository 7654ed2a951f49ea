"""Anonymization of faces in saved images."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from emodetect.faces.boxes import crop
from emodetect.types import Box, Image

_MARGIN = 0.35
"""Margin around a detected box that is hidden as well, as a fraction of its side: a cascade's box extends from the brow to the
mouth, and people are also recognized by hair, ears and chin."""

_CELLS = 3
"""Number of cells across and down in a blurred box. Networks still recognize people in mosaics of six by seven cells (McPherson
et al. 2016, arXiv 1609.00408), and the margin takes some of these cells."""

_MIN_CELL = 8
"""Minimum side of a cell, pixels; small boxes have fewer cells."""

_FILL = (64, 64, 64)
"""Color of a filled box, BGR."""


def anonymize(image: Image, boxes: Iterable[Box], method: str) -> Image:
    """Hide boxes and a margin around them.

    Args:
        image: uint8 (height, width, 3) BGR; not changed.
        boxes: face regions; they may extend beyond the image.
        method: "blur" for a smooth patch of at most nine mean colors, or "box" for a gray one.

    Returns:
        A new image of the same size.

    Raises:
        KeyError: the method is unknown.
    """
    hidden = _METHODS[method]
    canvas = image.copy()
    for box in boxes:
        area = _widened(box).clipped(image.shape[1], image.shape[0])
        if area.width and area.height:
            crop(canvas, area)[:] = hidden(crop(image, area))
    return np.asarray(canvas)


def _widened(box: Box) -> Box:
    across, down = round(_MARGIN * box.width), round(_MARGIN * box.height)
    return Box(box.x - across, box.y - down, box.width + 2 * across, box.height + 2 * down)


def _blurred(area: Image) -> Image:
    height, width = area.shape[:2]
    columns, rows = (max(1, min(_CELLS, side // _MIN_CELL)) for side in (width, height))
    cells = cv2.resize(area, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _filled(area: Image) -> Image:
    return np.full_like(area, _FILL)


_METHODS = {"blur": _blurred, "box": _filled}
