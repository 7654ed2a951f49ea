"""Pixels of any kind of number as uint8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.types import Image

_DEPTHS = 2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1
"""Largest values of sensors' pictures, which stand in files of 16 bits as they are."""

_BAND = 256
"""Rows of a picture that are converted at a time."""


def eight_bits(image: npt.NDArray[Any]) -> Image:
    """Values of any kind as uint8.

    Of 16 bits, 10, 12 or 14 are taken for all if the values need no more; other numbers are taken to reach from 0 to 1, or as
    far as they do.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        peak = int(image.max())
        low, high = 0.0, float(next(most for most in _DEPTHS if peak <= most))
    else:
        ends = [(float(band.min()), float(band.max())) for band in (_finite(image[rows]) for rows in bands(image))]
        low, high = min(0.0, *(least for least, _ in ends)), max(1.0, *(most for _, most in ends))
    eight = np.empty(image.shape, np.uint8)
    for rows in bands(image):
        eight[rows] = cv2.convertScaleAbs(_finite(image[rows]) - np.float32(low), alpha=255 / (high - low))
    return eight


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(np.nan_to_num(values.astype(np.float32), copy=False, posinf=0, neginf=0), np.float32)


def bands(image: npt.NDArray[Any]) -> Iterator[slice]:
    """Rows of a picture, some at a time: numbers with a point take several times its memory."""
    return (slice(top, top + _BAND) for top in range(0, image.shape[0], _BAND))


def on_white(image: Image, alpha: npt.NDArray[Any]) -> Image:
    """A picture over white, by how opaque each pixel is.

    Args:
        image: uint8 (height, width, 3).
        alpha: uint8 or uint16 (height, width, 1), where the highest number is opaque.
    """
    result = np.empty_like(image)
    for rows in bands(image):
        opacity = alpha[rows].astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max)
        result[rows] = np.rint(255 + opacity * (image[rows].astype(np.float32) - 255))
    return result
