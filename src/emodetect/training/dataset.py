"""Labelled faces from disk: the two layouts that FER-2013 comes in.

- folders: ``train/<label>/*`` and ``test/<label>/*``, as Kaggle's folder release has them (see `label_folders`);
- the original ``fer2013.csv`` with the columns emotion, pixels, Usage (see `fer_csv`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import Scaling
from emodetect.backends.faces_input import FaceInput
from emodetect.errors import DatasetError, SourceError
from emodetect.sources.images import read_image
from emodetect.training.label_folders import check_folder, find_labelled, hint_for_parts, is_table, part_folder
from emodetect.training.label_names import WORDS, LabelNames
from emodetect.types import EMOTIONS, Image

FACE_SIZE = 48
"""Side of a FER-2013 image in pixels."""

_Picture = TypeVar("_Picture", bound=npt.NDArray[np.uint8])

_SHOWN_FAULTS = 5
"""How many faults of a data set are named; the rest is counted."""


@dataclass(frozen=True)
class LabelledFaces:
    """Gray face crops with their labels.

    Attributes:
        images: uint8 (n, 48, 48), gray.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: for each image its path from the folder of labels on, ``train/angry/im0000.png``, or its row (`fer_csv.row_key`):
            how votes are matched.
        notes: what was left out, and what was assumed, in words.
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

    def take(self, indices: npt.NDArray[np.int64]) -> LabelledFaces:
        """The faces at these positions, in this order."""
        return LabelledFaces(self.images[indices], self.labels[indices], tuple(self.keys[i] for i in indices), self.notes)


@dataclass(frozen=True)
class LabelledCrops:
    """Face crops as they lie on disk, with their labels.

    Attributes:
        crops: uint8 (height, width, 3) BGR each, of any size.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: as in `LabelledFaces`.
        notes: as in `LabelledFaces`.
    """

    crops: tuple[Image, ...]
    labels: npt.NDArray[np.int64]
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_faces(self) -> LabelledFaces:
        """The same faces as FER-2013 has them: gray, 48x48."""
        return LabelledFaces(as_images(self.crops), self.labels, self.keys, self.notes)


def read_data_set(data: Path, names: LabelNames = WORDS) -> tuple[LabelledFaces, LabelledFaces]:
    """Read the train and the test part of a data set in either layout.

    Every label must have training faces; a label without test faces is allowed.

    Args:
        data: a folder with ``train`` and ``test``, or a table.
        names: what the names of folders, or the numbers in a table, mean.

    Raises:
        DatasetError: something is missing, has an unknown label or cannot be read; the message names it.
    """
    if is_table(data):
        from emodetect.training.fer_csv import read_csv

        return read_csv(data, names=names)
    check_folder(data, "a folder with train/ and test/, or fer2013.csv")
    parts = {name: part_folder(data, name) for name in ("train", "test")}
    missing = [name for name, part in parts.items() if part is None]
    if parts["train"] is None or parts["test"] is None:
        expected = f"expected train/<label>/, test/<label>/{hint_for_parts(data, names)}"
        raise DatasetError(f"{data}: has no folder {' and no folder '.join(missing)}; {expected}")
    return read_faces(parts["train"], names=names), read_faces(parts["test"], names=names, allow_missing=True)


def read_faces(folder: Path, *, names: LabelNames = WORDS, allow_missing: bool = False) -> LabelledFaces:
    """Read ``folder/<label>/*`` as gray 48x48 crops; otherwise as `read_crops`."""
    images, labels, keys, notes = _read(folder, names, allow_missing, lambda image: as_images([image])[0])
    return LabelledFaces(np.stack(images), labels, keys, notes)


def read_crops(folder: Path, *, names: LabelNames = WORDS, allow_missing: bool = False) -> LabelledCrops:
    """Read ``folder/<label>/*``, also in sub-folders, files in sorted order.

    Args:
        folder: a directory with one sub-directory a label.
        names: what the names of folders mean.
        allow_missing: accept a label without a folder or without images.

    Raises:
        DatasetError: the folder is missing, no folder in it names a label, one seems to be misspelled, a label is missing or
            stands twice, or an image cannot be read; all faults are named.
    """
    crops, labels, keys, notes = _read(folder, names, allow_missing, lambda image: image)
    return LabelledCrops(tuple(crops), labels, keys, notes)


def _read(
    folder: Path, names: LabelNames, allow_missing: bool, convert: Callable[[Image], _Picture]
) -> tuple[list[_Picture], npt.NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """The pictures of all labels, each converted as soon as it is read; their labels, keys and notes."""
    check_folder(folder, f"{folder.name}/<label>/ with one folder for each emotion")
    found = find_labelled(folder, names)
    faults = list(found.faults)
    pictures, labels, keys = [], [], []
    above = Path(os.path.abspath(folder)).name
    for position, emotion in enumerate(EMOTIONS):
        paths = found.images.get(emotion, [])
        if not paths and not allow_missing:
            faults.append(f"{folder / emotion}: no images for the label {emotion}")
        for path in paths:
            try:
                pictures.append(convert(read_image(path)))
            except SourceError as error:
                faults.append(str(error))
                continue
            labels.append(position)
            keys.append("/".join((above, *path.relative_to(folder).parts)))
    raise_faults(faults)
    if not pictures:
        raise DatasetError(f"{folder}: no images in any label's folder")
    return pictures, np.asarray(labels, np.int64), tuple(keys), found.notes


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
