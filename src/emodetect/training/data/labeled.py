"""Labeled faces in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import Scaling
from emodetect.backends.faces_input import FaceInput
from emodetect.errors import DatasetError
from emodetect.types import Image

FACE_SIZE = 48
"""Side of a FER-2013 image in pixels."""

_SHOWN_FAULTS = 5
"""Maximum number of faults in a message; the rest are counted."""


@dataclass(frozen=True)
class LabeledFaces:
    """Gray face crops with their labels.

    Attributes:
        images: uint8 (n, 48, 48), gray.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: path of each image from its split on, ``train/angry/im0000.png``, or its row (`fer_csv.row_key`), by which votes are
            matched.
        notes: sentences about skipped files and assumptions.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.keys)
        if self.images.shape != (count, FACE_SIZE, FACE_SIZE) or self.labels.shape != (count,):
            raise ValueError(
                f"expected images ({count}, {FACE_SIZE}, {FACE_SIZE}) and labels ({count},), "
                f"got {self.images.shape} and {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, indices: npt.NDArray[np.int64]) -> LabeledFaces:
        """Select the faces at these positions, in this order."""
        return LabeledFaces(self.images[indices], self.labels[indices], tuple(self.keys[i] for i in indices), self.notes)


@dataclass(frozen=True)
class LabeledCrops:
    """Face crops as stored on disk, with their labels.

    Attributes:
        crops: uint8 (height, width, 3) BGR each, of any size.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: as in `LabeledFaces`.
        notes: as in `LabeledFaces`.
    """

    crops: tuple[Image, ...]
    labels: npt.NDArray[np.int64]
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_faces(self) -> LabeledFaces:
        """Convert to the format of FER-2013: gray, 48x48."""
        return LabeledFaces(as_images(self.crops), self.labels, self.keys, self.notes)


def as_input(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Convert gray images (n, h, w) to the input of networks: float32 (n, h, w, 1), 0..1."""
    return np.asarray(images[..., np.newaxis] / np.float32(255), np.float32)


def raise_faults(faults: Sequence[str]) -> None:
    """Raise a DatasetError that names the faults of a data set, if there are any."""
    if faults:
        more = f"; and {len(faults) - _SHOWN_FAULTS} more faults" if len(faults) > _SHOWN_FAULTS else ""
        raise DatasetError("; ".join(faults[:_SHOWN_FAULTS]) + more)


def as_images(crops: Sequence[Image]) -> npt.NDArray[np.uint8]:
    """Convert uint8 (h, w, 3) BGR crops to the format of FER-2013, which backends use as well: uint8 (n, 48, 48), gray."""
    return FaceInput(FACE_SIZE, FACE_SIZE, scaling=Scaling.parse("0..255")).prepare(crops)[..., 0].astype(np.uint8)
