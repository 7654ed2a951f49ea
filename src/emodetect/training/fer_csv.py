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


def row_key(usage: str, number: int, count: int) -> str:
    """What tells a row, from 1 on, from those of other tables: votes for it stand in the same row of a table of their own."""
    return f"{usage} row {number} of {count}"


def is_row_key(key: str) -> bool:
    """Whether a key is one of a row, not a path."""
    return key.startswith(tuple(f"{usage} row " for usage in _PARTS))


def read_csv(path: Path, *, allow_missing: bool = False) -> tuple[LabelledFaces, LabelledFaces]:
    """Read the train part (Usage "Training") and the test part (Usage "PublicTest").

    A row's emotion is a position in `EMOTIONS`, its pixels are 48 x 48 gray values, 0 to 255, row by row.

    Args:
        path: the file.
        allow_missing: accept labels without training faces.

    Raises:
        DatasetError: the file or a row of it cannot be read, or a label has no training faces.
    """
    rows: dict[str, list[tuple[npt.NDArray[np.uint8], int, tuple[str, int]]]] = {"train": [], "test": []}
    faults = []
    number = 0
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{path}: no column {missing[0]!r}; expected {', '.join(_COLUMNS)}")
            for number, row in enumerate(reader, start=1):
                try:
                    usage = (row["Usage"] or "").strip()
                    part = _part(usage)
                    if part:
                        rows[part].append((_pixels(row["pixels"]), _label(row["emotion"]), (usage, number)))
                except ValueError as error:
                    faults.append(f"{path}, line {reader.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as fer2013.csv ({error})") from error
    present = {label for _, label, _ in rows["train"]}
    absent = [] if allow_missing else [name for i, name in enumerate(EMOTIONS) if i not in present]
    faults += [f"{path}: no training faces for the label {name}" for name in absent]
    faults += [] if rows["test"] else [f"{path}: no rows with Usage PublicTest"]
    raise_faults(faults)
    train, test = (
        LabelledFaces(
            np.asarray([pixels for pixels, _, _ in part], np.uint8).reshape(-1, FACE_SIZE, FACE_SIZE),
            np.asarray([label for _, label, _ in part], np.int64),
            tuple(row_key(usage, place, number) for _, _, (usage, place) in part),
        )
        for part in rows.values()
    )
    return train, test


def _part(usage: str) -> str | None:
    try:
        return _PARTS[usage]
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
