"""Face alignment: upright crops with the framing of the training data of the emotion network."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.faces.boxes import crop
from emodetect.types import Box, Detection, Face, Image

RIGHT_EYE, LEFT_EYE, NOSE = range(3)
"""Rows of the landmarks; mouth and ears follow."""

_FRAMING = {0: 0.322 + 0.393j, 1: 0.664 + 0.389j, 3: 0.498 + 0.765j, 4: 0.148 + 0.478j, 5: 0.870 + 0.465j}
"""Positions of landmarks in FER-2013, x + yi in units of the crop's side (medians of hundreds of faces): all but the nose, which
moves across the face when the head turns."""

_CENTER = sum(_FRAMING.values()) / len(_FRAMING)
"""Mean of these positions."""

_SPREAD = sum(abs(position - _CENTER) ** 2 for position in _FRAMING.values())
"""Sum of their squared distances from the mean."""

_MAX_NOSE_OFFSET = 0.8
"""Maximum offset of the nose from the midpoint of the eyes, along the line through the eyes, in interocular distances; at 0.5 the
nose is in front of an eye. From 0.8 on, 69% of the labels agree with the annotators; up to 0.2, 90%."""

_SIDE, _DOWN, _MIDDLE = 1.027, 0.043, 0.007 - 0.027j
"""Crop relative to the box: its side, in sides of the box; vertical offset of the network's own box, in the same unit; and offset
of the crop's center from there, x + yi in sides of the crop along its axes."""

_MAX_SIZE_RATIO = 1.4
"""Maximum ratio of the sizes of the crop by the box and the crop by the landmarks."""

_MAX_RELATIVE_SIDE = 2
"""Maximum side of a crop, in sides of the image."""


@dataclass(frozen=True)
class Similarity:
    """Similarity transform from the unit square, a face's crop, to the image: z -> turn * z + corner, x + yi in pixels."""

    turn: complex
    corner: complex

    @property
    def side(self) -> float:
        """Side of the crop, pixels of the image."""
        return abs(self.turn)

    def about_middle(self, factor: float) -> Similarity:
        """Scale the square about its center."""
        return Similarity(factor * self.turn, self.corner + (1 - factor) * self.turn * (0.5 + 0.5j))


def aligned_crop(image: Image, face: Detection | Face) -> Image:
    """Crop a face for a backend: upright, with the framing of FER-2013.

    The rotation comes from the landmarks. Position and size come from the box, which is more exact than single landmarks, if the
    box is square and agrees with them. Otherwise the border of the image may have cut it, and the landmarks are used.

    Args:
        image: uint8 (height, width, 3) BGR.
        face: its box lies inside the image; its landmarks may lie outside.

    Returns:
        uint8 (side, side, 3); pixels outside the image replicate its border. Without usable landmarks a view of the box, uint8
        (height, width, 3).
    """
    similarity = fit(face.landmarks)
    if similarity is None or similarity.side > _MAX_RELATIVE_SIDE * max(image.shape[:2]):
        return crop(image, face.box)
    similarity = _by_box(face.box, similarity)
    return upright(image, similarity, max(1, round(similarity.side)), cv2.BORDER_REPLICATE)


def _by_box(box: Box, similarity: Similarity) -> Similarity:
    """Replace position and size of the crop by those of the box, if the box is uncut and agrees."""
    side = _SIDE * box.width
    if box.width != box.height or not 1 / _MAX_SIZE_RATIO < side / similarity.side < _MAX_SIZE_RATIO:
        return similarity
    turn = side * similarity.turn / similarity.side
    middle = complex(box.x + box.width / 2, box.y + (0.5 + _DOWN) * box.height) + turn * _MIDDLE
    return Similarity(turn, middle - turn * (0.5 + 0.5j))


def upright(image: Image, similarity: Similarity, side: int, border: int) -> Image:
    """Rotate and scale a square of an image to an upright crop.

    Args:
        image: uint8 (height, width, 3) BGR.
        similarity: position of the square in the image.
        side: side of the result, pixels.
        border: OpenCV's border mode for pixels outside the image.

    Returns:
        uint8 (side, side, 3) BGR.
    """
    step = similarity.turn / side
    # OpenCV's pixel coordinates refer to pixel centers, landmarks to pixel corners.
    start = similarity.corner + step * (0.5 + 0.5j) - (0.5 + 0.5j)
    to_picture = np.asarray([[step.real, -step.imag, start.real], [step.imag, step.real, start.imag]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, to_picture, (side, side), flags=flags, borderMode=border), np.uint8)


def roll(landmarks: npt.NDArray[np.float32] | None) -> float | None:
    """Roll angle of a face.

    Args:
        landmarks: as in `Detection`, or None.

    Returns:
        Degrees from -180 to 180: 0 for an upright face, positive clockwise in the image; None without usable landmarks.
    """
    similarity = fit(landmarks)
    return None if similarity is None else math.degrees(cmath.phase(similarity.turn))


def is_turned_away(landmarks: npt.NDArray[np.float32] | None) -> bool:
    """Whether a face is turned too far to the side for the emotion network, which was trained on frontal faces.

    Args:
        landmarks: as in `Detection`, or None.
    """
    if landmarks is None or fit(landmarks) is None:
        return False
    right, left, nose = (complex(*map(float, landmarks[row])) for row in (RIGHT_EYE, LEFT_EYE, NOSE))
    eyes = left - right
    return abs(((nose - (right + left) / 2) * eyes.conjugate()).real) > _MAX_NOSE_OFFSET * abs(eyes) ** 2


def fit(landmarks: npt.NDArray[np.float32] | None) -> Similarity | None:
    """Fit the crop of a face to its landmarks by least squares.

    Args:
        landmarks: as in `Detection`, or None.

    Returns:
        The transform; None without landmarks, or if they do not form a face.
    """
    if landmarks is None:
        return None
    points = [complex(x, y) for x, y in landmarks.tolist()]  # for so few points faster than NumPy
    center = sum(points[row] for row in _FRAMING) / len(_FRAMING)
    turn = sum((position - _CENTER).conjugate() * points[row] for row, position in _FRAMING.items()) / _SPREAD
    is_usable = cmath.isfinite(sum(points)) and abs(turn) >= 1
    return Similarity(turn, center - turn * _CENTER) if is_usable else None
