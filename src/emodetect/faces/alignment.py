"""Aligned crops: faces upright and framed as those that the emotion network was trained on."""

from __future__ import annotations

import cmath
import math

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.faces.boxes import crop
from emodetect.types import Detection, Face, Image

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = range(4)
"""Rows of the landmarks; the ears follow."""

_FITTED = [RIGHT_EYE, LEFT_EYE, MOUTH]
"""The landmarks that lie in about one plane, and are put where they belong. The nose tells where a face is turned to."""

_FRAMING = np.asarray([0.322 + 0.393j, 0.664 + 0.389j, 0.498 + 0.765j])
"""Where they lie in FER-2013, x + yi in shares of the crop's side (medians of 482 faces)."""

_NOSE = 0.494
"""Where the nose lies there, x in shares of the crop's side."""

_TURNED = 0.22
"""How far the nose of a face may lie from where it would in a frontal one, across the face, in shares of the crop's side."""

_LARGEST = 2
"""Side of the largest crop, in sides of the picture."""


def aligned_crop(image: Image, face: Detection | Face) -> Image:
    """Crop a face as a backend takes it: upright and in FER-2013's framing by its landmarks, or else its box.

    Args:
        image: uint8 (height, width, 3) BGR.
        face: its box lies inside the picture; its landmarks may reach out of it.

    Returns:
        uint8 (side, side, 3), where the pixels beyond the picture repeat its border; without usable landmarks the box,
        uint8 (height, width, 3), which is a view.
    """
    fit = _fit(face.landmarks)
    if fit is None or abs(fit[0]) > _LARGEST * max(image.shape[:2]):
        return crop(image, face.box)
    turn, corner = fit
    side = max(1, round(abs(turn)))
    step = turn / side
    # OpenCV counts from the middle of a pixel, landmarks from its corner.
    start = corner + step * (0.5 + 0.5j) - (0.5 + 0.5j)
    to_picture = np.asarray([[step.real, -step.imag, start.real], [step.imag, step.real, start.imag]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, to_picture, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def roll(landmarks: npt.NDArray[np.float32] | None) -> float | None:
    """How far a face leans to the side.

    Args:
        landmarks: as in `Detection`, or None.

    Returns:
        Degrees from -180 to 180: 0 for an upright face, positive for one that leans clockwise in the picture; None without usable
        landmarks.
    """
    fit = _fit(landmarks)
    return None if fit is None else math.degrees(cmath.phase(fit[0]))


def is_turned_away(landmarks: npt.NDArray[np.float32] | None) -> bool:
    """Whether a face is turned so far to the side that the emotion network, which learned from frontal faces, cannot read it.

    Args:
        landmarks: as in `Detection`, or None.
    """
    fit = _fit(landmarks)
    if fit is None or landmarks is None:
        return False
    turn, corner = fit
    nose = (complex(*map(float, landmarks[NOSE])) - corner) / turn
    return abs(nose.real - _NOSE) > _TURNED


def _fit(landmarks: npt.NDArray[np.float32] | None) -> tuple[complex, complex] | None:
    """The similarity from the unit square, FER-2013's crop, to the picture, z -> turn * z + corner, by least squares.

    None where there are no landmarks, or none that make a face.
    """
    if landmarks is None or not np.isfinite(landmarks).all():
        return None
    points = landmarks[_FITTED, 0] + 1j * landmarks[_FITTED, 1].astype(np.float64)
    middle, center = _FRAMING.mean(), points.mean()
    spread = _FRAMING - middle
    turn = complex(np.vdot(spread, points - center) / np.vdot(spread, spread).real)
    return (turn, complex(center - turn * middle)) if abs(turn) >= 1 else None
