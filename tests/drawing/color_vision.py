"""How colors are seen, by people with and without all three kinds of cones, and how far apart they then are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from emodetect.drawing.palette import Color, linear
from emodetect.types import Image

FloatArray = npt.NDArray[np.float64]

SIGHTS: dict[str, FloatArray] = {
    "all cones": np.eye(3),
    "protanopia": np.asarray([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.asarray(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.asarray([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
"""What becomes of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1.0)."""

_XYZ = np.asarray([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
"""From linear sRGB, white D65."""


def seen(colors: npt.ArrayLike, sight: str) -> FloatArray:
    """Linear RGB, 0 to 1, float64 (..., 3), as somebody with this sight sees BGR values of 0 to 255."""
    rgb = linear(np.asarray(colors)[..., ::-1])
    return np.asarray(np.clip(rgb @ SIGHTS[sight].T, 0, 1))


def seen_picture(image: Image, sight: str) -> Image:
    """A picture, uint8 (height, width, 3) BGR, that shows others what somebody with this sight sees."""
    rgb = seen(image, sight)
    values = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * values[..., ::-1]), np.uint8)


def lab(rgb: FloatArray) -> FloatArray:
    """CIELAB of linear RGB."""
    share = rgb @ _XYZ.T / _XYZ.sum(axis=1)
    root = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def smallest_distance(colors: list[Color], sight: str) -> float:
    """How far apart the two of these colors are that are nearest to each other, in CIELAB."""
    places = lab(seen(colors, sight))
    return min(float(np.linalg.norm(first - second)) for first, second in combinations(places, 2))
