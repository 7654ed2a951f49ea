"""Contact sheet: thumbnails of many photos, each with its boxes, name and emotions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from emodetect.drawing.blending import draw_frame
from emodetect.drawing.lettering import BASELINE, Lettering
from emodetect.drawing.overlay import COLORS, UNKNOWN_COLOR, label
from emodetect.drawing.palette import Color
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style, with_letters_for
from emodetect.text.printable import caption
from emodetect.types import Box, FaceReading, Image

MAX_PHOTOS = 2000
"""Maximum number of photos on a sheet; image viewers cannot open larger ones."""

_SIDES = (2, 600), (6, 420), (40, 300), (200, 240), (MAX_PHOTOS, 160)
"""Side of a thumbnail, pixels, for up to each number of photos."""

_GAP = 12
_LINE = 18
_UNIT = 12.5
"""Size of the letters, see `emodetect.drawing.lettering`."""

_PAPER, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)
_ASPECT_RATIO = 1.4
"""Aspect ratio of a sheet, as far as the number of photos allows."""


class ContactSheet:
    """Collects photos as thumbnails.

    Args:
        count: number of photos; at most `MAX_PHOTOS` are shown.
        style: language and lettering, as from `with_letters_for` for the names; None for English and the letters of most
            alphabets.
    """

    def __init__(self, count: int, style: Style | None = None) -> None:
        self._style = style or with_letters_for(Style(), ())[0]
        self._side = next(side for max_count, side in _SIDES if min(count, MAX_PHOTOS) <= max_count)
        self._cells: list[Image] = []

    def add(self, name: str, picture: Image | None, readings: Sequence[FaceReading] = ()) -> None:
        """Add a photo.

        Args:
            name: its file name.
            picture: uint8 (height, width, 3) BGR, or None if the file cannot be read.
            readings: its faces, from left to right.
        """
        if len(self._cells) == MAX_PHOTOS:
            return
        if picture is None:
            words = self._style.format(Phrase.UNREADABLE)
            thumbnail = np.full((self._side // 2, self._side, 3), _PAPER, np.uint8)
            cv2.rectangle(thumbnail, (0, 0), (self._side - 1, self._side // 2 - 1), _FAINT, 1)
        else:
            thumbnail = _thumbnail(picture, readings, self._side)
            words = self._words(readings)
        height, width = thumbnail.shape[:2]
        cell = np.full((height + 2 * _LINE + 4, self._side, 3), _PAPER, np.uint8)
        left = (self._side - width) // 2
        cell[:height, left : left + width] = thumbnail
        self._write(cell, caption(name), 2, _INK)
        self._write(cell, words, 1, _FAINT)
        self._cells.append(cell)

    @property
    def is_empty(self) -> bool:
        """Whether the sheet has no photos."""
        return not self._cells

    def image(self) -> Image:
        """Draw the sheet, uint8 (height, width, 3) BGR, with photos in rows from left to right.

        Raises:
            ValueError: the sheet has no photos.
        """
        if self.is_empty:
            raise ValueError("expected at least one photo")
        width, height = self._side + _GAP, _GAP + max(cell.shape[0] for cell in self._cells)
        count = len(self._cells)
        columns = min(count, max(1, round(math.sqrt(_ASPECT_RATIO * count * height / width))))
        rows = [self._cells[start : start + columns] for start in range(0, count, columns)]
        bottoms = np.cumsum([_GAP + max(cell.shape[0] for cell in row) for row in rows]).tolist()
        sheet = np.full((bottoms[-1] + _GAP, _GAP + columns * width, 3), _PAPER, np.uint8)
        for row, bottom in zip(rows, bottoms, strict=True):
            for column, cell in enumerate(row):
                left = _GAP + column * width
                sheet[bottom - cell.shape[0] : bottom, left : left + cell.shape[1]] = cell
        return sheet

    def _words(self, readings: Sequence[FaceReading]) -> str:
        """Emotions of the faces, from left to right; with the confidence if there is only one face."""
        if len(readings) == 1:
            return label(readings[0], self._style)
        names = [label(reading) if reading.scores is None else self._style.name(reading.shown) for reading in readings]
        return ", ".join(names) or self._style.format(Phrase.NO_FACE)

    def _write(self, cell: Image, text: str, line: int, color: Color) -> None:
        """Write text horizontally centered in a line of a cell; lines are counted from the bottom."""
        lettering = self._style.lettering
        short = _shortened(lettering, text, cell.shape[1])
        left = max(0, (cell.shape[1] - math.ceil(lettering.width(short, _UNIT))) // 2)
        lettering.write(cell, short, (left, cell.shape[0] - line * _LINE + round(BASELINE * _UNIT)), _UNIT, color)


def _thumbnail(picture: Image, readings: Sequence[FaceReading], side: int) -> Image:
    """Scale the photo to fit a square, and draw its boxes with the same line width on all photos."""
    height, width = picture.shape[:2]
    scale = min(side / width, side / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
    for reading in readings:
        color = COLORS[reading.scores.dominant] if reading.scores else UNKNOWN_COLOR
        draw_frame(small, _scaled(reading.box, scale), 2, color, 1)
    return small


def _scaled(box: Box, scale: float) -> Box:
    return Box(*(round(number * scale) for number in (box.x, box.y, box.width, box.height)))


def _shortened(lettering: Lettering, text: str, width: int) -> str:
    """Elide the text in the middle if it is wider than ``width`` pixels, since names often differ at their ends."""
    kept = len(text)
    short = text
    while kept > 2 and lettering.width(short, _UNIT) > width:
        kept -= 1
        short = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
    return short
