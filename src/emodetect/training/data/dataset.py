"""Reading labeled faces in the two layouts of FER-2013.

- folders: ``train/<label>/*`` and ``test/<label>/*``, as in Kaggle's folder release (see `label_folders`);
- the original ``fer2013.csv`` with the columns emotion, pixels, Usage (see `fer_csv`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from emodetect.errors import DatasetError, SourceError, about
from emodetect.sources.images import read_image
from emodetect.system.native_output import quiet_native_output
from emodetect.training.data.label_folders import check_folder, find_labeled, hint_for_parts, is_table, part_folder
from emodetect.training.data.label_names import WORDS, LabelNames
from emodetect.training.data.labeled import LabeledCrops, LabeledFaces, as_images, raise_faults
from emodetect.types import EMOTIONS, Image

_Picture = TypeVar("_Picture", bound=npt.NDArray[np.uint8])


@about("data")
def read_data_set(data: Path, names: LabelNames = WORDS) -> tuple[LabeledFaces, LabeledFaces]:
    """Read the training and the test split of a data set in either layout.

    Every label must have training faces; a label without test faces is allowed.

    Args:
        data: a folder with ``train`` and ``test``, or a table.
        names: meanings of the names of folders, or the numbers in a table.

    Raises:
        DatasetError: a part is missing, has an unknown label or cannot be read; the message names it.
    """
    if is_table(data):
        from emodetect.training.data.fer_csv import read_csv

        return read_csv(data, names=names)
    check_folder(data, "a folder with train/ and test/, or fer2013.csv")
    parts = {name: part_folder(data, name) for name in ("train", "test")}
    missing = [name for name, part in parts.items() if part is None]
    if parts["train"] is None or parts["test"] is None:
        expected = f"expected train/<label>/, test/<label>/{hint_for_parts(data, names)}"
        raise DatasetError(f"{data}: has no folder {' and no folder '.join(missing)}; {expected}")
    return read_faces(parts["train"], names=names), read_faces(parts["test"], names=names, allow_missing=True)


def read_faces(folder: Path, *, names: LabelNames = WORDS, allow_missing: bool = False) -> LabeledFaces:
    """Read ``folder/<label>/*`` as gray 48x48 crops; arguments as for `read_crops`."""
    images, labels, keys, notes = _read(folder, names, allow_missing, lambda image: as_images([image])[0])
    return LabeledFaces(np.stack(images), labels, keys, notes)


def read_crops(folder: Path, *, names: LabelNames = WORDS, allow_missing: bool = False) -> LabeledCrops:
    """Read ``folder/<label>/*``, subfolders included, in sorted order.

    Args:
        folder: a folder with one subfolder per label.
        names: meanings of the names of folders.
        allow_missing: accept a label without a folder or without images.

    Raises:
        DatasetError: the folder is missing, no folder in it names a label, one seems to be misspelled, a label is missing or
            duplicate, or an image cannot be read; all faults are named.
    """
    crops, labels, keys, notes = _read(folder, names, allow_missing, lambda image: image)
    return LabeledCrops(tuple(crops), labels, keys, notes)


def _read(
    folder: Path, names: LabelNames, allow_missing: bool, convert: Callable[[Image], _Picture]
) -> tuple[list[_Picture], npt.NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """Read the images of all labels and convert each at once; returns them with their labels, keys and notes."""
    check_folder(folder, f"{folder.name}/<label>/ with one folder for each emotion")
    found = find_labeled(folder, names)
    faults = list(found.faults)
    pictures, labels, keys = [], [], []
    above = Path(os.path.abspath(folder)).name
    for position, emotion in enumerate(EMOTIONS):
        paths = found.images.get(emotion, [])
        if not paths and not allow_missing:
            faults.append(f"{folder / emotion}: no images for the label {emotion}")
        for path in paths:
            try:
                with quiet_native_output():  # libjpeg prints warnings about damage
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
