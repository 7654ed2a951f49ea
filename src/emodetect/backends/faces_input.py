"""Preprocessing of face crops for a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import ASSUMED_SCALING, Channels, Scaling
from emodetect.types import Image

_CONVERSIONS = {"gray": cv2.COLOR_BGR2GRAY, "rgb": cv2.COLOR_BGR2RGB}


@dataclass(frozen=True)
class FaceInput:
    """Input format of a network: size, channels and scaling.

    Attributes:
        height: rows, pixels.
        width: columns, pixels.
        channels: 1 or 3.
        channels_first: (n, channels, height, width) instead of (n, height, width, channels).
        scaling: input scaling.
        colors: channel order; None for gray with one channel and RGB with three. With three channels "gray" repeats the gray
            value.
    """

    height: int = 48
    width: int = 48
    channels: int = 1
    channels_first: bool = False
    scaling: Scaling = ASSUMED_SCALING
    colors: Channels | None = None

    def prepare(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Resize, convert and scale uint8 (h, w, 3) BGR crops into one float32 batch."""
        colors = self.colors or ("gray" if self.channels == 1 else "rgb")
        batch = np.empty((len(crops), self.height, self.width, self.channels), np.float32)
        for index, crop in enumerate(crops):
            converted = crop if colors == "bgr" else cv2.cvtColor(crop, _CONVERSIONS[colors])
            shrinks = converted.shape[0] > self.height
            method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            resized = cv2.resize(converted, (self.width, self.height), interpolation=method)
            batch[index] = resized.reshape(self.height, self.width, -1)
        batch *= np.asarray(self.scaling.scale, np.float32)
        batch += np.asarray(self.scaling.offset, np.float32)
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if self.channels_first else batch
