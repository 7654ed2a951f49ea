"""What the live window shows over the picture beside the faces: the keys, and what is being written."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from emodetect.types import Image
from emodetect.view import KEYS

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _GRAY, _RED, _DARK = (255, 255, 255), (215, 215, 215), (60, 60, 230), (40, 40, 40)
_OPACITY = 0.8
_FILLS = 0.94
"""Share of the picture's width and height that the help takes at most."""

_CAP_HEIGHT = 21
"""Height of a capital letter of this font at scale 1, pixels."""


def draw_help(canvas: Image) -> None:
    """Draw the keys and what they do in the middle of a picture, as large as fits."""
    height, width = canvas.shape[:2]
    rows = [(shown, command.value) for command, (_, shown) in KEYS.items()]
    # At scale 1; everything grows with the scale.
    keys = max(_text_width(shown) for shown, _ in rows)
    words = max(_text_width(meaning) for _, meaning in rows)
    line, gap = 1.9 * _CAP_HEIGHT, 1.5 * _CAP_HEIGHT
    panel_width, panel_height = keys + words + 3 * gap, line * len(rows) + gap
    scale = min(_FILLS * width / panel_width, _FILLS * height / panel_height, _largest_scale(height, width))
    left, top = round((width - scale * panel_width) / 2), round((height - scale * panel_height) / 2)
    right, bottom = left + round(scale * panel_width), top + round(scale * panel_height)
    area = canvas[top:bottom, left:right]
    area[:] = np.asarray(area * (1 - _OPACITY), np.uint8)
    for row, (shown, meaning) in enumerate(rows):
        baseline = top + round(scale * (gap / 2 + line * (row + 0.5) + _CAP_HEIGHT / 2))
        _write(canvas, shown, (left + round(scale * gap), baseline), scale, _WHITE)
        _write(canvas, meaning, (left + round(scale * (2 * gap + keys)), baseline), scale, _GRAY)


def draw_marks(canvas: Image, *, recording: bool, logging: bool) -> None:
    """Draw in the top right corner what is being written: REC with a red dot, LOG."""
    marks = [name for name, on in (("REC", recording), ("LOG", logging)) if on]
    height, width = canvas.shape[:2]
    scale = _largest_scale(height, width)
    line, gap = round(2.2 * scale * _CAP_HEIGHT), round(0.6 * scale * _CAP_HEIGHT)
    right = width - gap
    for name in reversed(marks):
        dot = round(1.4 * scale * _CAP_HEIGHT) if name == "REC" else 0
        wide = round(scale * _text_width(name)) + dot + 2 * gap
        left, middle = right - wide, gap + line // 2
        cv2.rectangle(canvas, (left, gap), (right - 1, gap + line - 1), _DARK, cv2.FILLED)
        if dot:
            cv2.circle(canvas, (left + gap + dot // 3, middle), max(3, dot // 3), _RED, cv2.FILLED, cv2.LINE_AA)
        _write(canvas, name, (left + gap + dot, middle + round(scale * _CAP_HEIGHT / 2)), scale, _WHITE)
        right = left - gap


def _largest_scale(height: int, width: int) -> float:
    """Letters as high as a fiftieth of the picture's shorter side, and no smaller than can be read."""
    return max(9.0, min(height, width) / 50) / _CAP_HEIGHT


def _text_width(text: str) -> float:
    """Width of a text at scale 1, pixels."""
    return float(cv2.getTextSize(text, _FONT, 1.0, 1)[0][0])


def _write(canvas: Image, text: str, origin: tuple[int, int], scale: float, color: Sequence[int]) -> None:
    cv2.putText(canvas, text, origin, _FONT, scale, color, max(1, round(1.6 * scale)), cv2.LINE_AA)
