"""Arithmetic on boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.types import Box, Detection, Image

_NESTED = 0.6
"""Share of the smaller of two boxes that lies in the other from which both are taken for one face."""


def intersections(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Area that each box of the first shares with each of the second: float64 (len(first), len(second)), pixels."""
    a, b = _corners(first)[:, np.newaxis], _corners(second)[np.newaxis]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.asarray(np.clip(sides, 0, None).prod(axis=-1))


def intersection_over_union(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Overlap of each pair of boxes, 0 to 1: float64 (len(first), len(second))."""
    shared = intersections(first, second)
    union = _areas(first)[:, np.newaxis] + _areas(second)[np.newaxis] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def intersection_over_smaller(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """How much of the smaller box of each pair lies in the other, 0 to 1: float64 (len(first), len(second))."""
    shared = intersections(first, second)
    smaller = np.minimum(_areas(first)[:, np.newaxis], _areas(second)[np.newaxis])
    return np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)


def best_pairs(claims: npt.NDArray[np.float64]) -> dict[int, int]:
    """Pairs of rows and columns, the largest claim first, each row and column once; claims of 0 make none.

    For a few faces that lie apart this is as good as the best sum over all pairs.

    Args:
        claims: float64 (rows, columns), none negative.
    """
    left = claims.copy()
    pairs: dict[int, int] = {}
    while left.size and left.max() > 0:
        row, column = map(int, np.unravel_index(left.argmax(), left.shape))
        pairs[row] = column
        left[row], left[:, column] = 0, 0
    return pairs


def without_nested(detections: Sequence[Detection], most_overlap: float = 1.0) -> list[Detection]:
    """The surest first; of boxes that lie in each other, or whose intersection over union is larger, only the surest."""
    # OpenCV's threads finish in any order: between equals the place decides.
    found = sorted(
        detections, key=lambda detection: (-detection.confidence, detection.box.x, detection.box.y, detection.box.width)
    )
    kept: list[Detection] = []
    for detection in found:
        others = [other.box for other in kept]
        nested = intersection_over_smaller([detection.box], others) > _NESTED
        if not (nested | (intersection_over_union([detection.box], others) > most_overlap)).any():
            kept.append(detection)
    return kept


def crop(image: Image, box: Box) -> Image:
    """The pixels of a box that lies inside the picture, uint8 (height, width, 3); a view, not a copy."""
    return image[box.y : box.y + box.height, box.x : box.x + box.width]


def _corners(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    rows = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    return np.asarray(rows, np.float64).reshape(-1, 4)


def _areas(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    return np.asarray([box.width * box.height for box in boxes], np.float64)
