"""The original ``fer2013.csv`` of the 2013 challenge (Goodfellow et al. 2013, arXiv 1307.0414)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.errors import DatasetError
from emodetect.training.dataset import FACE_SIZE, LabelledFaces, raise_faults
from emodetect.types import EMOTIONS

_COLUMNS = ("emotion", "pixels", "Usage")

_PARTS = {"Training": "train", "PublicTest": "test", "PrivateTest": None}
"""Which part a row belongs to; the challenge's private test part is used for neither."""


def read_csv(path: Path) -> tuple[LabelledFaces, LabelledFaces]:
    """Read the train part (Usage "Training") and the test part (Usage "PublicTest").

    A row's emotion is a position in `EMOTIONS`, its pixels are 48 x 48 gray values, 0 to 255, row by row.

    Raises:
        DatasetError: the file or a row of it cannot be read, or a label has no training faces.
    """
    rows: dict[str, list[tuple[npt.NDArray[np.uint8], int, str]]] = {"train": [], "test": []}
    faults = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{path}: no column {missing[0]!r}; expected {', '.join(_COLUMNS)}")
            for row in reader:
                try:
                    part = _part(row["Usage"])
                    if part:
                        label = _label(row["emotion"])
                        rows[part].append((_pixels(row["pixels"]), label, f"{part}/{EMOTIONS[label]}/row{reader.line_num}"))
                except ValueError as error:
                    faults.append(f"{path}, line {reader.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as fer2013.csv ({error})") from error
    present = {label for _, label, _ in rows["train"]}
    faults += [f"{path}: no training faces for the label {name}" for i, name in enumerate(EMOTIONS) if i not in present]
    faults += [] if rows["test"] else [f"{path}: no rows with Usage PublicTest"]
    raise_faults(faults)
    return _faces(rows["train"]), _faces(rows["test"])


def _part(usage: str | None) -> str | None:
    try:
        return _PARTS[(usage or "").strip()]
    except KeyError:
        raise ValueError(f"unknown Usage {usage!r}; expected {', '.join(_PARTS)}") from None


def _label(text: str) -> int:
    if text.strip() not in {str(number) for number in range(len(EMOTIONS))}:
        raise ValueError(f"unknown emotion {text!r}; expected 0 to {len(EMOTIONS) - 1}")
    return int(text)


def _pixels(text: str | None) -> npt.NDArray[np.uint8]:
    try:
        values = np.asarray((text or "").split(), np.int64)
    except (ValueError, OverflowError):
        raise ValueError("the pixels are not all whole numbers from 0 to 255") from None
    if values.shape != (FACE_SIZE**2,) or values.min() < 0 or values.max() > 255:
        raise ValueError(f"expected {FACE_SIZE**2} pixels from 0 to 255, got {values.size} values")
    return values.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)


def _faces(rows: list[tuple[npt.NDArray[np.uint8], int, str]]) -> LabelledFaces:
    images, labels, keys = zip(*rows, strict=True)
    return LabelledFaces(np.stack(images), np.asarray(labels, np.int64), tuple(keys))
