"""Following a face by its own picture: a twentieth of a cascade's cost, for as long as the face looks as it did."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from emodetect.types import Box

_SIDE = 24
"""Side that a face is reduced to, pixels."""

_STEP = 0.05
"""Between the sizes that are tried: how much larger the face has become."""

_MOST_STEPS = 2
"""How many larger or smaller sizes are tried at most, the second only where the first fits better."""

_LARGEST = 1 + _MOST_STEPS * _STEP

_ALIKE = 0.8
"""Normalized correlation from which on it is the same face; below it the cascade should look again."""

_PLAIN = 4.0
"""Standard deviation of gray levels below which there is nothing to know a face by again."""

_Gray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FaceTemplate:
    """What a face looked like when the detector last found it.

    Attributes:
        image: uint8, gray, reduced to `_SIDE` pixels.
        width: of the face then, pixels.
        height: of the face then, pixels.
    """

    image: _Gray
    width: int
    height: int

    @classmethod
    def of(cls, gray: _Gray, box: Box) -> Self:
        """Take the face in a box that lies inside uint8 (height, width)."""
        face = gray[box.y : box.y + box.height, box.x : box.x + box.width]
        return cls(np.asarray(cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8), box.width, box.height)

    def find(self, gray: _Gray, near: Box, margin: float) -> Box | None:
        """Look for the face in uint8 (height, width).

        Args:
            gray: the picture.
            near: where it should be by now.
            margin: how far from there it may be, as a share of its side.

        Returns:
            Where it is; None where nothing looks like it, where it reaches out of the picture, or where it has no features.
        """
        if self.image.std() < _PLAIN:
            return None
        reach_x, reach_y = (round(side * (0.5 * _LARGEST + margin)) for side in (self.width, self.height))
        left, top = near.x + near.width // 2 - reach_x, near.y + near.height // 2 - reach_y
        around = Box(left, top, 2 * reach_x, 2 * reach_y).clipped(gray.shape[1], gray.shape[0])
        if around.width < _LARGEST * self.width + 1 or around.height < _LARGEST * self.height + 1:
            return None
        region = gray[around.y : around.y + around.height, around.x : around.x + around.width]
        # Reduced once to what all sizes are made of: most of the work would be in reading a large face five times.
        scale = min(1.0, 2 * _SIDE / min(self.width, self.height))
        shape = round(around.width * scale), round(around.height * scale)
        region = np.asarray(cv2.resize(region, shape, interpolation=cv2.INTER_AREA), np.uint8)
        across, down = around.width / shape[0], around.height / shape[1]

        def match(steps: int) -> tuple[float, float, float]:
            size = 1 + _STEP * steps
            return self._match(region, size * self.width / across, size * self.height / down)

        matches = {steps: match(steps) for steps in (-1, 0, 1)}
        best = max(matches, key=lambda steps: matches[steps][0])
        if best:
            matches[2 * best] = match(2 * best)
            best = max(matches, key=lambda steps: matches[steps][0])
        alike, middle_x, middle_y = matches[best]
        if alike < _ALIKE:
            return None
        beside = [matches[steps][0] if steps in matches else 0.0 for steps in (best - 1, best, best + 1)]
        between = _summit(np.asarray(beside, np.float32), 1) if all(beside) else 0.0
        size = 1 + _STEP * (best + between)
        width, height = size * self.width, size * self.height
        x, y = around.x + middle_x * across - width / 2, around.y + middle_y * down - height / 2
        return Box(round(x), round(y), round(width), round(height))

    def _match(self, region: _Gray, face_width: float, face_height: float) -> tuple[float, float, float]:
        """How well the face fits at its best if it is so large, and where its middle is then, all in pixels of the region."""
        height, width = region.shape
        shape = round(width * _SIDE / face_width), round(height * _SIDE / face_height)
        reduced = cv2.resize(region, shape, interpolation=cv2.INTER_AREA)
        likeness = np.asarray(cv2.matchTemplate(reduced, self.image, cv2.TM_CCOEFF_NORMED), np.float32)
        _, alike, _, (column, row) = cv2.minMaxLoc(likeness)
        x = column + _summit(likeness[row], column) + _SIDE / 2
        y = row + _summit(likeness[:, column], row) + _SIDE / 2
        return alike, x * width / shape[0], y * height / shape[1]


def _summit(values: npt.NDArray[np.float32], highest: int) -> float:
    """Where between the samples the top is, from the highest one, by the parabola through it and its neighbors."""
    if not 0 < highest < len(values) - 1:
        return 0.0
    before, top, after = (float(value) for value in values[highest - 1 : highest + 2])
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
