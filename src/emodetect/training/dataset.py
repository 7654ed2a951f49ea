"""Labelled faces from disk: the two layouts that FER-2013 comes in.

- folders: ``train/<label>/*`` and ``test/<label>/*``, as Kaggle's folder release has them;
- the original ``fer2013.csv`` with the columns emotion, pixels, Usage (see `fer_csv`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import Scaling
from emodetect.backends.faces_input import FaceInput
from emodetect.backends.labels import meant_label
from emodetect.errors import DatasetError, SourceError
from emodetect.sources.images import read_image
from emodetect.suggestions import did_you_mean_file
from emodetect.types import EMOTIONS, Emotion, Image

FACE_SIZE = 48
"""Side of a FER-2013 image in pixels."""

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}

_SHOWN_FAULTS = 5
"""How many faults of a data set are named; the rest is counted."""


@dataclass(frozen=True)
class LabelledFaces:
    """Gray face crops with their labels.

    Attributes:
        images: uint8 (n, 48, 48), gray.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: for each image its last three path parts, ``train/angry/im0000.png``, or its row (`fer_csv.row_key`): how votes are
            matched.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.keys)
        if self.images.shape != (count, FACE_SIZE, FACE_SIZE) or self.labels.shape != (count,):
            raise ValueError(
                f"expected images ({count}, {FACE_SIZE}, {FACE_SIZE}) and labels ({count},), "
                f"got {self.images.shape} and {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, indices: npt.NDArray[np.int64]) -> LabelledFaces:
        """The faces at these positions, in this order."""
        return LabelledFaces(self.images[indices], self.labels[indices], tuple(self.keys[i] for i in indices))


@dataclass(frozen=True)
class LabelledCrops:
    """Face crops as they lie on disk, with their labels.

    Attributes:
        crops: uint8 (height, width, 3) BGR each, of any size.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: as in `LabelledFaces`.
    """

    crops: tuple[Image, ...]
    labels: npt.NDArray[np.int64]
    keys: tuple[str, ...]

    def as_faces(self) -> LabelledFaces:
        """The same faces as FER-2013 has them: gray, 48x48."""
        return LabelledFaces(as_images(self.crops), self.labels, self.keys)


def read_data_set(data: Path) -> tuple[LabelledFaces, LabelledFaces]:
    """Read the train and the test part of a data set in either layout.

    Every label must have training faces; a label without test faces is allowed.

    Raises:
        DatasetError: something is missing, has an unknown label or cannot be read; the message names it.
    """
    if data.suffix.lower() == ".csv":
        from emodetect.training.fer_csv import read_csv

        return read_csv(data)
    if not data.is_dir():
        raise DatasetError(
            f"{data}: no such folder or file; expected a folder with train/ and test/, or fer2013.csv{did_you_mean_file(data)}"
        )
    missing = [name for name in ("train", "test") if not (data / name).is_dir()]
    if missing:
        raise DatasetError(f"{data}: has no folder {' and no folder '.join(missing)}; expected train/<label>/, test/<label>/")
    return read_faces(data / "train"), read_faces(data / "test", allow_missing=True)


def read_faces(folder: Path, *, allow_missing: bool = False) -> LabelledFaces:
    """Read ``folder/<label>/*`` as gray 48x48 crops; otherwise as `read_crops`."""
    return read_crops(folder, allow_missing=allow_missing).as_faces()


def read_crops(folder: Path, *, allow_missing: bool = False) -> LabelledCrops:
    """Read ``folder/<label>/*``, files in sorted order.

    Args:
        folder: a directory with one sub-directory a label, named as in `EMOTIONS` (case does not matter).
        allow_missing: accept a label without a folder or without images.

    Raises:
        DatasetError: the folder is missing, a label is unknown, empty or stands twice, or an image cannot be read; all
            faults are named.
    """
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder}: is a file; expected a folder with one folder an emotion in it")
    if not folder.is_dir():
        raise DatasetError(
            f"{folder}: no such folder; expected {folder.name}/<label>/ with one folder an emotion{did_you_mean_file(folder)}"
        )
    faults: list[str] = []
    folders: dict[Emotion, Path] = {}
    known = ", ".join(EMOTIONS)
    for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            emotion = Emotion(child.name.lower())
        except ValueError:
            faults.append(f"{child}: unknown label {child.name!r}{meant_label(child.name) or f'; the labels are {known}'}")
            continue
        if emotion in folders:
            faults.append(f"{child}: a second folder for the label {emotion}, beside {folders[emotion].name}")
        folders[emotion] = child
    crops, labels, keys = [], [], []
    for position, emotion in enumerate(EMOTIONS):
        child = folders.get(emotion, folder / emotion)
        paths = sorted(p for p in child.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES) if child.is_dir() else []
        if not paths and not allow_missing:
            faults.append(f"{child}: no images for the label {emotion}")
        for path in paths:
            try:
                crops.append(read_image(path))
            except SourceError as error:
                faults.append(str(error))
                continue
            labels.append(position)
            keys.append("/".join(Path(os.path.abspath(path)).parts[-3:]))
    raise_faults(faults)
    if not crops:
        raise DatasetError(f"{folder}: no images in any label's folder; expected folders named {known} in it")
    return LabelledCrops(tuple(crops), np.asarray(labels, np.int64), tuple(keys))


def as_input(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Gray images (n, h, w) as networks take them: float32 (n, h, w, 1), 0..1."""
    return np.asarray(images[..., np.newaxis] / np.float32(255), np.float32)


def raise_faults(faults: Sequence[str]) -> None:
    """Raise one DatasetError that names the faults of a data set, if there are any."""
    if faults:
        more = f"; and {len(faults) - _SHOWN_FAULTS} more faults" if len(faults) > _SHOWN_FAULTS else ""
        raise DatasetError("; ".join(faults[:_SHOWN_FAULTS]) + more)


def as_images(crops: Sequence[Image]) -> npt.NDArray[np.uint8]:
    """uint8 (h, w, 3) BGR crops as FER-2013 has them and as the backends will see them: uint8 (n, 48, 48), gray."""
    return FaceInput(FACE_SIZE, FACE_SIZE, scaling=Scaling.parse("0..255")).prepare(crops)[..., 0].astype(np.uint8)
