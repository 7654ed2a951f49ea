"""The original ``fer2013.csv`` of the 2013 challenge (Goodfellow et al. 2013, arXiv 1307.0414), or ``icml_face_data.csv``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.errors import DatasetError
from emodetect.text.printable import counted
from emodetect.training.data.label_names import NONE, NUMBERED, WORDS, LabelNames, is_number
from emodetect.training.data.labeled import FACE_SIZE, LabeledFaces, raise_faults
from emodetect.training.data.tables import open_table, quoted
from emodetect.types import EMOTIONS

_COLUMNS = ("emotion", "pixels", "Usage")

_PARTS = {"Training": "train", "PublicTest": "test", "PrivateTest": None}
"""Split of a row by its Usage; the private test split of the challenge is not used."""

_USAGES = {usage.lower(): usage for usage in _PARTS}

_LABELS = [emotion.value for emotion in EMOTIONS]


def row_key(usage: str, number: int, count: int) -> str:
    """Key of a row, by which votes are matched: they are in the same row of a table of the same length.

    Args:
        usage: Usage of the row.
        number: number of the row, from 1.
        count: number of rows in the table.
    """
    usage = usage.strip()
    return f"{_USAGES.get(usage.lower(), usage)} row {number} of {count}"


def is_row_key(key: str) -> bool:
    """Whether a key is that of a row, not a path."""
    return key.startswith(tuple(f"{usage} row " for usage in _PARTS))


def read_csv(path: Path, *, names: LabelNames = WORDS, only_test: bool = False) -> tuple[LabeledFaces, LabeledFaces]:
    """Read the training split (Usage "Training") and the test split (Usage "PublicTest").

    A row's emotion is a position in `EMOTIONS`, its pixels are 48 x 48 gray values, 0 to 255, row by row.

    Args:
        path: the file.
        names: meanings of the numbers in the column ``emotion``; those of FER-2013 by default.
        only_test: whether only the test split is needed: the training split may be empty or lack labels, and in a table without a
            column ``Usage`` all rows are the test split.

    Raises:
        DatasetError: the file or a row of it cannot be read, or a label has no training faces.
    """
    names = names if names.meanings else LabelNames("fer2013", NUMBERED["fer2013"])
    rows: dict[str, list[tuple[npt.NDArray[np.uint8], int, tuple[str, int]]]] = {"train": [], "test": []}
    faults, notes = [], []
    left_out: Counter[str] = Counter()
    number = 0
    with open_table(path, _COLUMNS, "fer2013.csv") as table:
        has_usage = "Usage" in table.columns
        missing = [name for name in _COLUMNS if name not in table.columns and not (only_test and name == "Usage")]
        if missing:
            raise DatasetError(f"{path}: no column {missing[0]!r}; expected {', '.join(_COLUMNS)}")
        for number, (line, row) in enumerate(table.rows, start=1):
            try:
                usage = row["Usage"] if has_usage else "PublicTest"
                part = _part(usage)
                label = _label(row["emotion"], names) if part else NONE
                if label in _LABELS and part:
                    rows[part].append((_pixels(row["pixels"]), _LABELS.index(label), (usage, number)))
                elif part:
                    left_out[label] += 1
            except ValueError as error:
                faults.append(f"{path}, line {line}: {error}")
    present = {label for _, label, _ in rows["train"]}
    absent = [] if only_test else [name for i, name in enumerate(EMOTIONS) if i not in present]
    faults += [f"{path}: no training faces for the label {name}" for name in absent]
    faults += [] if rows["test"] else [f"{path}: no rows{' with Usage PublicTest' if has_usage else ''}"]
    raise_faults(faults)
    if not has_usage:
        notes.append(f"{path}: has no column Usage; all its rows count")
    if left_out:
        kinds = (counted(count, f"row of {label}", f"rows of {label}") for label, count in left_out.most_common())
        notes.append(f"{path}: left out: {', '.join(kinds)}")
    train, test = (
        LabeledFaces(
            np.asarray([pixels for pixels, _, _ in part], np.uint8).reshape(-1, FACE_SIZE, FACE_SIZE),
            np.asarray([label for _, label, _ in part], np.int64),
            tuple(row_key(usage, place, number) for _, _, (usage, place) in part),
            tuple(notes),
        )
        for part in rows.values()
    )
    return train, test


def _part(usage: str) -> str | None:
    try:
        return _PARTS[_USAGES[usage.strip().lower()]]
    except KeyError:
        raise ValueError(f"unknown Usage {quoted(usage)}; expected {', '.join(_PARTS)}") from None


def _label(text: str, names: LabelNames) -> str:
    label = names.label_of(text)
    if label is None:
        expected = f"; expected {names.numbers()} ({names.name})" if not text.strip() or is_number(text) else ""
        raise ValueError(f"unknown emotion {quoted(text)}{expected}")
    return label


def _pixels(text: str) -> npt.NDArray[np.uint8]:
    try:
        values = np.asarray(text.strip("[] ").replace(",", " ").split(), np.int64)
    except (ValueError, OverflowError):
        raise ValueError("the pixels are not all whole numbers from 0 to 255") from None
    if values.shape != (FACE_SIZE**2,):
        raise ValueError(f"expected {FACE_SIZE**2} pixels, got {values.size}")
    if (outside := values[(values < 0) | (values > 255)]).size:
        raise ValueError(f"expected pixels from 0 to 255, got {outside[0]}")
    return values.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)
