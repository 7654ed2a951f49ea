"""Conversion of pixels of any data type to uint8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.types import Image

_DEPTHS = 2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1
"""Maximum values of raw sensor depths, which are stored in 16-bit files without scaling."""

_BAND = 256
"""Number of rows that are converted at a time."""


def eight_bits(image: npt.NDArray[Any]) -> Image:
    """Scale values of any data type to uint8.

    The depth of 16-bit values is 10, 12 or 14 bits if the values need no more. Other numbers range from 0 to 1, or to their
    maximum.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        peak = int(image.max())
        low, high = 0.0, float(next(depth for depth in _DEPTHS if peak <= depth))
    else:
        ends = [(float(band.min()), float(band.max())) for band in (_finite(image[rows]) for rows in bands(image))]
        low, high = min(0.0, *(start for start, _ in ends)), max(1.0, *(end for _, end in ends))
    eight = np.empty(image.shape, np.uint8)
    for rows in bands(image):
        eight[rows] = cv2.convertScaleAbs(_finite(image[rows]) - np.float32(low), alpha=255 / (high - low))
    return eight


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(np.nan_to_num(values.astype(np.float32), copy=False, posinf=0, neginf=0), np.float32)


def bands(image: npt.NDArray[Any]) -> Iterator[slice]:
    """Split an image into bands of rows, since floating-point numbers take several times its memory."""
    return (slice(top, top + _BAND) for top in range(0, image.shape[0], _BAND))


def on_white(image: Image, alpha: npt.NDArray[Any]) -> Image:
    """Composite an image over white.

    Args:
        image: uint8 (height, width, 3).
        alpha: uint8 or uint16 (height, width, 1), with the maximum for opaque.
    """
    result = np.empty_like(image)
    for rows in bands(image):
        opacity = alpha[rows].astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max)
        result[rows] = np.rint(255 + opacity * (image[rows].astype(np.float32) - 255))
    return result
