"""Faces hidden in pictures that are saved."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from emodetect.faces.boxes import crop
from emodetect.types import Box, Image

_MARGIN = 0.35
"""How far round a detected box is hidden, as a share of its side: a cascade's box reaches from brow to mouth, and hair, ears and
chin tell people apart, too."""

_CELLS = 3
"""What is left of a blurred face: the mean colours of so many cells across and down. Networks still tell people apart in mosaics
of six by seven (McPherson et al. 2016, arXiv 1609.00408), and the margin takes its part of these few."""

_SMALLEST_CELL = 8
"""Side of a cell at least, pixels; of smaller boxes still less is left."""

_FILL = (64, 64, 64)
"""What a box is filled with, BGR."""


def anonymize(image: Image, boxes: Iterable[Box], method: str) -> Image:
    """Hide what is in these boxes and round them.

    Args:
        image: uint8 (height, width, 3) BGR; left as it is.
        boxes: where faces are, or may be; they may reach out of the picture.
        method: "blur", a soft patch of nine mean colours; or "box", a gray one.

    Returns:
        A new picture of the same size.

    Raises:
        KeyError: there is no such method.
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
    columns, rows = (max(1, min(_CELLS, side // _SMALLEST_CELL)) for side in (width, height))
    cells = cv2.resize(area, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _filled(area: Image) -> Image:
    return np.full_like(area, _FILL)


_METHODS = {"blur": _blurred, "box": _filled}
