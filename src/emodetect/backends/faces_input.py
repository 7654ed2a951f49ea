"""Face crops as a network takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.types import Image


@dataclass(frozen=True)
class FaceInput:
    """A network's input: size, colour and scaling.

    Attributes:
        height: rows, pixels.
        width: columns, pixels.
        channels: 1 for gray, 3 for RGB.
        channels_first: (n, channels, height, width) instead of (n, height, width, channels).
        scale: what a pixel (0 to 255) is multiplied by.
        offset: what is added after that.
    """

    height: int = 48
    width: int = 48
    channels: int = 1
    channels_first: bool = False
    scale: float = 1 / 255
    offset: float = 0.0

    def prepare(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Resize, convert and scale uint8 (h, w, 3) BGR crops into one float32 batch."""
        batch = np.empty((len(crops), self.height, self.width, self.channels), np.float32)
        for index, crop in enumerate(crops):
            converted = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY if self.channels == 1 else cv2.COLOR_BGR2RGB)
            shrinks = converted.shape[0] > self.height
            method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            resized = cv2.resize(converted, (self.width, self.height), interpolation=method)
            batch[index] = resized.reshape(self.height, self.width, self.channels)
        batch *= self.scale
        batch += self.offset
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if self.channels_first else batch
