"""Landmark refinement: a second detection in the upright crop, where the network is more exact.

BlazeFace was trained on faces with little roll. For five people, rotated in steps, the median error of the first detection is
5 degrees at a roll of 21 to 45 and 25 degrees at 46 to 90; that of a second one, on the upright crop, is 1 and 2 degrees.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.faces.alignment import Similarity, fit, roll, upright
from emodetect.faces.blazeface import framed, run_network
from emodetect.types import Detection, Image

_SIDE = 128
"""Side of the network's input, pixels."""

_SHARE = 0.45
"""Side of the face's crop in the network's input. For 63 people, rotated by up to 35 degrees, the median error of the roll is 0.6
degrees, as with a crop of 77 pixels in an input of 192, which takes twice the time."""

_NEAR = 0.2
"""Maximum distance from the center at which a detection is the same face, in sides of the network's input."""

_FOUND = 0.5
"""Minimum score of a face in its crop."""

_MIN_CHANGE = 10.0
"""Change of the roll angle, degrees, below which the iteration ends."""

_MAX_ITERATIONS = 4

_MAX_SAMPLES = 4
"""Maximum samples per pixel of the network's input, in each direction, for large faces."""

_SEEN, _CONFIRMED = 0.2, 0.5
"""Minimum score of a doubtful face in its crop and in the mirrored crop, and minimum mean of both. Without the mirrored crop, two
more boxes are false on 135 photos."""

_MIRRORED = [1, 0, 2, 3, 5, 4]
"""Rows of the landmarks after mirroring, which swaps left and right."""


class LandmarkRefiner:
    """Looks at detected faces again, in an upright crop. Thread-safe."""

    def refine(self, image: Image, found: Detection) -> Detection:
        """Detect the landmarks of a face again; a face without landmarks, or that is not found again, is returned unchanged.

        Args:
            image: uint8 (height, width, 3) BGR.
            found: a face in the image.
        """
        for _ in range(_MAX_ITERATIONS):
            before, square = roll(found.landmarks), _square(image, found)
            answer = self._detect_landmarks(_crop(image, square), _FOUND) if square else None
            landmarks = _placed(answer[1][2:], square) if square and answer else None
            after = roll(landmarks)
            if before is None or after is None:
                return found
            found = replace(found, landmarks=landmarks)
            if abs((after - before + 180) % 360 - 180) <= _MIN_CHANGE:
                break
        return found

    def confirm(self, image: Image, found: Detection) -> Detection | None:
        """Detect a doubtful face again, in the crop and in its mirror image.

        Args:
            image: uint8 (height, width, 3) BGR.
            found: a face in the image.

        Returns:
            The face with the box and landmarks of the second look, or None if it does not confirm the face.
        """
        square = _square(image, found)
        if square is None:
            return None
        pixels = _crop(image, square)
        first = self._detect_landmarks(pixels, _SEEN)
        second = self._detect_landmarks(np.ascontiguousarray(pixels[:, ::-1]), _SEEN) if first else None
        if first is None or second is None or first[0] + second[0] < 2 * _CONFIRMED:
            return None
        (center, size, *points), mirrored = first[1], second[1]
        other = np.asarray([_SIDE, 0], np.float32) + np.asarray([-1, 1], np.float32) * mirrored
        weights = first[0], second[0]
        middle = np.average([center, other[0]], axis=0, weights=weights)
        side = float(np.average([size.max(), mirrored[1].max()], weights=weights))
        landmarks = np.average([points, other[2:][_MIRRORED]], axis=0, weights=weights)
        box = framed(_placed(middle[np.newaxis].astype(np.float32), square)[0], side * square.side / _SIDE)
        return replace(found, box=box, landmarks=_placed(landmarks.astype(np.float32), square))

    def _detect_landmarks(self, pixels: Image, min_score: float) -> tuple[float, npt.NDArray[np.float32]] | None:
        """Score and points of the face near the center of a crop, as `run_network` returns them, or None."""
        [found] = run_network(pixels[np.newaxis], min_score)
        away = [float(np.hypot(*(answer[0] - _SIDE / 2))) for _, answer in found]
        return found[int(np.argmin(away))] if found and min(away) <= _NEAR * _SIDE else None


def _square(image: Image, found: Detection) -> Similarity | None:
    """The upright square around a face that becomes the network's input, or None without usable landmarks."""
    similarity = fit(found.landmarks)
    square = similarity.about_middle(1 / _SHARE) if similarity else None
    return square if square and square.side <= 4 * max(image.shape[:2]) else None


def _crop(image: Image, square: Similarity) -> Image:
    """Crop the network's input, uint8 (side, side, 3)."""
    # Two pixels per sample are enough: the interpolation reads both.
    samples = max(1, min(_MAX_SAMPLES, round(square.side / _SIDE / 2)))
    pixels = upright(image, square, _SIDE * samples, cv2.BORDER_CONSTANT)
    return pixels if samples == 1 else np.asarray(cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _placed(points: npt.NDArray[np.float32], square: Similarity) -> npt.NDArray[np.float32]:
    """Transform points (n, 2) of a crop to pixels of the image."""
    x, y = points[:, 0] / _SIDE, points[:, 1] / _SIDE
    places = square.corner + square.turn * (x + 1j * y)
    return np.stack([places.real, places.imag], axis=1).astype(np.float32)
