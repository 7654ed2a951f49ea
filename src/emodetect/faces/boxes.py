"""Box geometry: overlaps, matching and suppression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.types import Box, Detection, Image

_NESTED = 0.6
"""Intersection over the smaller area above which two boxes count as one face."""


def intersections(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Intersection area of each pair of boxes: float64 (len(first), len(second)), square pixels."""
    a, b = _corners(first)[:, np.newaxis], _corners(second)[np.newaxis]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.asarray(np.clip(sides, 0, None).prod(axis=-1))


def intersection_over_union(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Intersection over union of each pair of boxes, 0 to 1: float64 (len(first), len(second))."""
    shared = intersections(first, second)
    union = _areas(first)[:, np.newaxis] + _areas(second)[np.newaxis] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def intersection_over_smaller(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Intersection over the smaller area of each pair of boxes, 0 to 1: float64 (len(first), len(second))."""
    shared = intersections(first, second)
    smaller = np.minimum(_areas(first)[:, np.newaxis], _areas(second)[np.newaxis])
    return np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)


def best_pairs(claims: npt.NDArray[np.float64]) -> dict[int, int]:
    """Match rows and columns greedily by the largest value, each row and column at most once; values of 0 are not matched.

    For a few separate faces this is as good as the optimal assignment.

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


def without_nested(detections: Sequence[Detection], max_overlap: float = 1.0) -> list[Detection]:
    """Non-maximum suppression: the most confident of nested or overlapping boxes, sorted by confidence.

    Args:
        detections: the detections, in any order.
        max_overlap: intersection over union above which the less confident box is suppressed.
    """
    # OpenCV's threads finish in any order, so that ties are broken by position.
    found = sorted(
        detections, key=lambda detection: (-detection.confidence, detection.box.x, detection.box.y, detection.box.width)
    )
    kept: list[Detection] = []
    for detection in found:
        others = [other.box for other in kept]
        nested = intersection_over_smaller([detection.box], others) > _NESTED
        if not (nested | (intersection_over_union([detection.box], others) > max_overlap)).any():
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
