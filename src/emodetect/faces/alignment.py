"""Aligned crops: faces upright and framed as those that the emotion network was trained on."""

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

_FITTED = [0, 1, 3, 4, 5]
"""The landmarks that are put where they belong: all but the nose, which moves across a face that turns."""

_FRAMING = np.asarray([0.322 + 0.393j, 0.664 + 0.389j, 0.498 + 0.765j, 0.148 + 0.478j, 0.870 + 0.465j])
"""Where these lie in FER-2013, x + yi in shares of the crop's side (medians of hundreds of faces)."""

_TURNED = 0.8
"""How far the nose of a face may lie from the middle of its eyes, along the line through them, in distances of the eyes: at 0.5
it is before an eye. From 0.8 on 69% of the answers agree with the annotators, up to 0.2 90%."""

_SIDE, _DOWN, _MIDDLE = 1.027, 0.043, 0.007 - 0.027j
"""The crop by the box: its side, in sides of the box; how much lower the network's own box lies, in the same unit; and where the
middle of the crop is from there, x + yi in sides of the crop along its axes."""

_AGREE = 1.4
"""How many times larger or smaller than by the landmarks a crop by the box may be."""

_LARGEST = 2
"""Side of the largest crop, in sides of the picture."""


@dataclass(frozen=True)
class Similarity:
    """Turns, scales and moves the unit square, a face's crop, into the picture: z -> turn * z + corner, x + yi in pixels."""

    turn: complex
    corner: complex

    @property
    def side(self) -> float:
        """Side of the crop, pixels of the picture."""
        return abs(self.turn)

    def about_middle(self, factor: float) -> Similarity:
        """A square that is so many times larger about the same middle."""
        return Similarity(factor * self.turn, self.corner + (1 - factor) * self.turn * (0.5 + 0.5j))


def aligned_crop(image: Image, face: Detection | Face) -> Image:
    """Crop a face as a backend takes it: turned upright and in FER-2013's framing.

    The landmarks tell how the face is turned. Place and size are those of the box, which is found more exactly than each of the
    landmarks, as long as the box is square and agrees with them: the border of the picture may have cut it.

    Args:
        image: uint8 (height, width, 3) BGR.
        face: its box lies inside the picture; its landmarks may reach out of it.

    Returns:
        uint8 (side, side, 3), where the pixels beyond the picture repeat its border; without usable landmarks the box itself,
        uint8 (height, width, 3), which is a view.
    """
    similarity = fit(face.landmarks)
    if similarity is None or similarity.side > _LARGEST * max(image.shape[:2]):
        return crop(image, face.box)
    similarity = _by_box(face.box, similarity)
    return upright(image, similarity, max(1, round(similarity.side)), cv2.BORDER_REPLICATE)


def _by_box(box: Box, similarity: Similarity) -> Similarity:
    """The crop with the place and size of the box, if that is whole and agrees."""
    side = _SIDE * box.width
    if box.width != box.height or not 1 / _AGREE < side / similarity.side < _AGREE:
        return similarity
    turn = side * similarity.turn / similarity.side
    middle = complex(box.x + box.width / 2, box.y + (0.5 + _DOWN) * box.height) + turn * _MIDDLE
    return Similarity(turn, middle - turn * (0.5 + 0.5j))


def upright(image: Image, similarity: Similarity, side: int, border: int) -> Image:
    """Turn a square of a picture upright.

    Args:
        image: uint8 (height, width, 3) BGR.
        similarity: where the square lies in it.
        side: of the result, pixels.
        border: what OpenCV puts beyond the picture.

    Returns:
        uint8 (side, side, 3) BGR.
    """
    step = similarity.turn / side
    # OpenCV counts from the middle of a pixel, landmarks from its corner.
    start = similarity.corner + step * (0.5 + 0.5j) - (0.5 + 0.5j)
    to_picture = np.asarray([[step.real, -step.imag, start.real], [step.imag, step.real, start.imag]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, to_picture, (side, side), flags=flags, borderMode=border), np.uint8)


def roll(landmarks: npt.NDArray[np.float32] | None) -> float | None:
    """How far a face leans to the side.

    Args:
        landmarks: as in `Detection`, or None.

    Returns:
        Degrees from -180 to 180: 0 for an upright face, positive for one that leans clockwise in the picture; None without usable
        landmarks.
    """
    similarity = fit(landmarks)
    return None if similarity is None else math.degrees(cmath.phase(similarity.turn))


def is_turned_away(landmarks: npt.NDArray[np.float32] | None) -> bool:
    """Whether a face is turned so far to the side that the emotion network, which learned from frontal faces, cannot read it.

    Args:
        landmarks: as in `Detection`, or None.
    """
    if landmarks is None or fit(landmarks) is None:
        return False
    right, left, nose = (complex(*map(float, landmarks[row])) for row in (RIGHT_EYE, LEFT_EYE, NOSE))
    eyes = left - right
    return abs(((nose - (right + left) / 2) * eyes.conjugate()).real) > _TURNED * abs(eyes) ** 2


def fit(landmarks: npt.NDArray[np.float32] | None) -> Similarity | None:
    """Where a face's crop lies, by least squares over its landmarks.

    Args:
        landmarks: as in `Detection`, or None.

    Returns:
        None where there are no landmarks, or none that make a face.
    """
    if landmarks is None or not np.isfinite(landmarks).all():
        return None
    points = landmarks[_FITTED, 0] + 1j * landmarks[_FITTED, 1].astype(np.float64)
    middle, center = _FRAMING.mean(), points.mean()
    spread = _FRAMING - middle
    turn = complex(np.vdot(spread, points - center) / np.vdot(spread, spread).real)
    return Similarity(turn, complex(center - turn * middle)) if abs(turn) >= 1 else None
