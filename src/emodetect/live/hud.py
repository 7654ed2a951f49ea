"""Heads-up display of the live window: the help, the REC and LOG marks, and the image shown while a source opens."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from emodetect.drawing.blending import draw_plate
from emodetect.drawing.lettering import BASELINE, LINE, ROUNDING, unit_for
from emodetect.drawing.palette import BLACK, WHITE, Color
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.live.keys import KEYS
from emodetect.types import Box, Image

_GRAY: Color = (215, 215, 215)
_RED: Color = (60, 60, 230)
_DARK: Color = (40, 40, 40)
_FILLS = 0.94
"""Maximum share of the image's width and height that the help covers."""

_HELP_LINE = 1.6
"""Line height of the help, units."""

_GAP = 1.2
"""Gap between and around the columns of the help, units."""

_WAITING_SIZE = 640, 360
"""Width and height of the image shown before the first frame, pixels."""

_SHRINK = 0.97
"""Factor by which the letters of the help shrink until its lines fit."""


def draw_help(canvas: Image, style: Style) -> None:
    """Draw the keys and their commands in the middle of an image, as large as fits.

    Args:
        canvas: uint8 (height, width, 3) BGR, drawn on.
        style: words and letters.
    """
    height, width = canvas.shape[:2]
    lettering = style.lettering
    rows = [(style.format(shown), style.format(command.value)) for command, (_, shown) in KEYS.items()]
    lines = _HELP_LINE * len(rows) + _GAP
    unit = min(unit_for((width, height)), _FILLS * height / lines)
    while True:
        keys, words = (max(lettering.width(text, unit) for text in column) for column in zip(*rows, strict=True))
        panel_width = keys + words + round(3 * _GAP * unit)
        if panel_width <= _FILLS * width or unit < 1:
            break
        unit *= _SHRINK
    panel_height = round(lines * unit)
    left, top = max(0, (width - panel_width) // 2), (height - panel_height) // 2
    draw_plate(canvas, Box(left, top, panel_width, panel_height), ROUNDING * unit, _DARK)
    for row, (shown, meaning) in enumerate(rows):
        baseline = top + round((_GAP / 2 + _HELP_LINE * row + BASELINE) * unit)
        lettering.write(canvas, shown, (left + round(_GAP * unit), baseline), unit, WHITE)
        lettering.write(canvas, meaning, (left + round(2 * _GAP * unit) + keys, baseline), unit, _GRAY)


def place_marks(size: tuple[int, int], style: Style, *, recording: bool, logging: bool) -> dict[str, Box]:
    """Boxes of the REC and LOG marks in the top right corner, by name.

    Args:
        size: width and height of the image, pixels.
        style: words and letters.
        recording: whether a video is being recorded.
        logging: whether a log is being written.
    """
    unit = unit_for(size)
    gap, right = round(0.5 * unit), size[0] - round(0.5 * unit)
    places = {}
    for name in [name for name, on in (("LOG", logging), ("REC", recording)) if on]:
        width = style.lettering.width(name, unit) + _dot(name, unit) + 2 * gap
        places[name] = Box(right - width, gap, width, round(LINE * unit))
        right -= width + gap
    return places


def draw_marks(canvas: Image, style: Style, places: Mapping[str, Box]) -> None:
    """Draw the marks, REC with a red dot.

    Args:
        canvas: uint8 (height, width, 3) BGR, drawn on.
        style: words and letters.
        places: the marks' boxes, from `place_marks`.
    """
    unit = unit_for((canvas.shape[1], canvas.shape[0]))
    gap = round(0.5 * unit)
    for name, box in places.items():
        draw_plate(canvas, box, ROUNDING * unit, _DARK, outline=BLACK)
        if dot := _dot(name, unit):
            middle = box.x + gap + dot // 3, box.y + box.height // 2
            cv2.circle(canvas, middle, max(3, dot // 3), _RED, cv2.FILLED, cv2.LINE_AA)
        style.lettering.write(canvas, name, (box.x + gap + dot, box.y + round(BASELINE * unit)), unit, WHITE)


def _dot(name: str, unit: float) -> int:
    """Width reserved for the dot of a mark, pixels."""
    return round(unit) if name == "REC" else 0


def waiting_picture(style: Style, text: str) -> Image:
    """Draw the image shown before the first frame: the pending operation, and the key to quit.

    Args:
        style: words and letters.
        text: the pending operation.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    canvas = np.full((*reversed(_WAITING_SIZE), 3), _DARK, np.uint8)
    unit, middle = unit_for(_WAITING_SIZE), _WAITING_SIZE[1] // 2
    lines = style.lettering.wrapped(text, unit, round(_FILLS * _WAITING_SIZE[0]), 3)
    hint = f"q  {style.format(Phrase.QUIT)}"
    for number, (line, color) in enumerate([*((line, WHITE) for line in lines), (hint, _GRAY)]):
        left = (_WAITING_SIZE[0] - style.lettering.width(line, unit)) // 2
        style.lettering.write(canvas, line, (left, round(middle + _HELP_LINE * (number - len(lines) / 2) * unit)), unit, color)
    return canvas
