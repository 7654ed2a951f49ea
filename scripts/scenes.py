"""Scenes for the pictures in the documentation: two portraits in the public domain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emodetect.benchmark.synthetic_clip import PORTRAIT
from emodetect.types import Image
from tests.builders import PHOTO, write_clip

RATE = 25

_TILE = 476, 480
"""Width and height of one person's tile in a call, pixels."""

_GAP = 8
"""Gap between two tiles, pixels."""

_AWAY = RATE * 3 // 5
"""Number of frames for which a person is absent."""

_TILT = 16.0
"""Maximum roll of a head in either direction, degrees."""

_MAX_BLUR = 14
"""Standard deviation of the blur of an out-of-focus picture, pixels."""


def write_call(path: Path, seconds: float) -> Path:
    """Encode a call of two people with hand-held cameras, 960x480: one leaves for a moment, the other gets out of focus."""
    return write_clip(path, call(round(seconds * RATE)), RATE)


def call(frames: int) -> Iterator[Image]:
    """Yield the frames of `write_call`."""
    people = [(cv2.imread(str(PHOTO)), (60, 0, 352, 355)), (cv2.imread(str(PORTRAIT)), (0, 40, 512, 516))]
    for index in range(frames):
        part, turn = index / frames, 2 * np.pi * index / (4 * RATE)
        picture = np.full((_TILE[1], 2 * _TILE[0] + _GAP, 3), 24, np.uint8)
        for place, (photo, (x, y, width, height)) in enumerate(people):
            if place == 1 and 0 <= index - 3 * frames // 8 < _AWAY:
                continue
            zoom = 0.95 + 0.03 * np.sin(turn + place)
            size = round(zoom * width), round(zoom * height)
            middle = x + width / 2 + 0.012 * width * np.cos(turn), y + height / 2 + 0.012 * height * np.sin(2 * turn)
            matrix = cv2.getRotationMatrix2D(middle, _TILT * np.sin(turn / 2 + 2 * place), _TILE[0] / size[0])
            matrix[:, 2] += np.subtract(_TILE, 2 * np.asarray(middle)) / 2
            patch = cv2.warpAffine(photo, matrix, _TILE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            if place == 0 and (blur := _MAX_BLUR * (20 * np.sin(2 * np.pi * (part - 0.45)) - 19)) > 0.5:
                patch = cv2.GaussianBlur(patch, None, blur)
            left = place * (_TILE[0] + _GAP)
            picture[:, left : left + _TILE[0]] = patch
        yield picture
