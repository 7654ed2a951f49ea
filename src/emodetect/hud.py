"""What the live window shows over the picture beside the faces: the keys, and what is being written."""

from __future__ import annotations

import cv2

from emodetect.drawing.lettering import BASELINE, LINE, unit_for
from emodetect.drawing.palette import WHITE, Color
from emodetect.drawing.style import Style
from emodetect.types import Image
from emodetect.view import KEYS

_GRAY: Color = (215, 215, 215)
_RED: Color = (60, 60, 230)
_DARK: Color = (40, 40, 40)
_FILLS = 0.94
"""Share of the picture's width and height that the help takes at most."""

_HELP_LINE = 1.55
"""Height of a line of the help, units."""

_GAP = 1.2
"""Between the help's columns and round them, units."""

_SHRINK = 0.97
"""Step in which the help's letters become smaller until its lines fit."""


def draw_help(canvas: Image, style: Style) -> None:
    """Draw the keys and what they do in the middle of a picture, as large as fits."""
    height, width = canvas.shape[:2]
    lettering = style.lettering
    rows = [(style.say(shown), style.say(command.value)) for command, (_, shown) in KEYS.items()]
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
    area = canvas[top : top + panel_height, left : left + panel_width]
    area[:] = _DARK
    for row, (shown, meaning) in enumerate(rows):
        baseline = top + round((_GAP / 2 + _HELP_LINE * row + BASELINE) * unit)
        lettering.write(canvas, shown, (left + round(_GAP * unit), baseline), unit, WHITE)
        lettering.write(canvas, meaning, (left + round(2 * _GAP * unit) + keys, baseline), unit, _GRAY)


def draw_marks(canvas: Image, style: Style, *, recording: bool, logging: bool) -> None:
    """Draw in the top right corner what is being written: REC with a red dot, LOG."""
    height, width = canvas.shape[:2]
    unit = unit_for((width, height))
    line, gap = round(LINE * unit), round(0.5 * unit)
    right = width - gap
    for name in [name for name, on in (("LOG", logging), ("REC", recording)) if on]:
        dot = round(unit) if name == "REC" else 0
        left = right - style.lettering.width(name, unit) - dot - 2 * gap
        cv2.rectangle(canvas, (left, gap), (right - 1, gap + line - 1), _DARK, cv2.FILLED)
        if dot:
            cv2.circle(canvas, (left + gap + dot // 3, gap + line // 2), max(3, dot // 3), _RED, cv2.FILLED, cv2.LINE_AA)
        style.lettering.write(canvas, name, (left + gap + dot, gap + round(BASELINE * unit)), unit, WHITE)
        right = left - gap
