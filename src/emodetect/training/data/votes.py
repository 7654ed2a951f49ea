"""FER+ votes: labels of each FER-2013 face by ten annotators (Barsoum et al. 2016, arXiv 1608.01041)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.backends.labels import FERPLUS_LABELS, LabelMap
from emodetect.errors import DatasetError, about
from emodetect.training.data.fer_csv import is_row_key, row_key
from emodetect.training.data.tables import open_table
from emodetect.types import EMOTIONS

_VOTE_COLUMNS = (*FERPLUS_LABELS, "unknown", "NF")

_ROW_COLUMNS = ("Usage", "Image name")
"""Columns of ``fer2013new.csv`` instead of a path."""

_REMOVED_VOTES = np.asarray([10.0 if name == "NF" else 0.0 for name in _VOTE_COLUMNS], np.float32)
"""Votes for an image that the authors of FER+ removed."""


@dataclass(frozen=True)
class Votes:
    """FER+ votes of ten annotators per face, matched to a set of faces.

    Attributes:
        counts: float32 (n, 10), columns as `FERPLUS_LABELS`, then unknown and not-a-face; zeros if a face has no votes.
            Single votes are dropped already, as by the authors of FER+.
    """

    counts: npt.NDArray[np.float32]

    def majority(self) -> npt.NDArray[np.int64]:
        """The official majority label, int64 (n,): a position in `FERPLUS_LABELS`, or -1 if there is none.

        The winner needs more than half of the votes that remain; an unknown or not-a-face winner counts as none
        (`ferplus.py`, mode 'majority', of the FER+ authors).
        """
        winner = self.counts.argmax(axis=1)
        decided = self.counts.max(axis=1) > 0.5 * self.counts.sum(axis=1)
        return np.where(decided & (winner < len(FERPLUS_LABELS)), winner, -1).astype(np.int64)

    def majority_eight(self) -> npt.NDArray[np.int64]:
        """The official majority label, int64 (n,): a position in `EIGHT_LABELS`, or -1 if there is none."""
        positions = LabelMap(FERPLUS_LABELS).apply_eight(np.eye(len(FERPLUS_LABELS), dtype=np.float32)).argmax(axis=1)
        majority = self.majority()
        return np.where(majority >= 0, positions[majority], -1).astype(np.int64)

    def majority_seven(self) -> npt.NDArray[np.int64]:
        """The official majority label as a position in `EMOTIONS`; -1 also for contempt."""
        eight = self.majority_eight()
        return np.where(eight < len(EMOTIONS), eight, -1).astype(np.int64)

    def distribution(self) -> npt.NDArray[np.float32]:
        """Distribution of the votes over the eight emotions, float32 (n, 8); rows without such votes are zeros."""
        emotions = self.counts[:, : len(FERPLUS_LABELS)]
        total = emotions.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(emotions, total, out=np.zeros_like(emotions), where=total > 0))

    def not_a_face(self) -> npt.NDArray[np.bool_]:
        """Whether 'not a face' has the most votes, bool (n,)."""
        return np.asarray((self.counts.argmax(axis=1) == len(_VOTE_COLUMNS) - 1) & (self.counts.max(axis=1) > 0))


@about("votes")
def read_votes(path: Path, keys: Sequence[str]) -> Votes:
    """Read a FER+ vote table for the faces with these keys.

    The table has a column ``image`` with their paths, or is ``fer2013new.csv`` as published by the authors of FER+: one row per
    row of the original ``fer2013.csv``, in the same order. Images that they removed, which have no name there, count as no face.

    Args:
        path: the table.
        keys: keys of the faces, as in `LabeledFaces`.

    Raises:
        DatasetError: the file is missing, lacks a column, names none of the faces, or its rows do not match the faces.
    """
    table = _read_table(path, {key.count("/") + 1 for key in keys})
    nothing = np.zeros(len(_VOTE_COLUMNS), np.float32)
    missing = [key for key in keys if key not in table]
    if keys and table:
        if is_row_key(next(iter(table))):
            if not is_row_key(keys[0]):
                raise DatasetError(
                    f"{path}: its rows are those of the original fer2013.csv, which `data` must name",
                    hint="for a folder of images it takes a column 'image' with their paths (docs/train.md)",
                )
            if missing:
                found = f"{path}: has {len(table):,} rows and no {missing[0]!r}"
                raise DatasetError(f"{found}; it must have the rows of the faces' own table, in the same order")
        elif is_row_key(keys[0]):
            raise DatasetError(f"{path}: names images by path; fer2013.csv has none, and goes with FER+'s own fer2013new.csv")
    if len(missing) == len(keys):
        example = keys[0] if keys else "nothing"
        raise DatasetError(f"{path}: has votes for none of the images; they are matched by paths such as {example}")
    counts = np.stack([table.get(key, nothing) for key in keys])
    return Votes(np.where(counts > 1, counts, 0).astype(np.float32))


def _path_keys(path: str, lengths: set[int]) -> list[str]:
    """Last components of a path, as many as the keys of the faces have."""
    parts = Path(path).parts
    return ["/".join(parts[-length:]) for length in lengths]


def _read_table(path: Path, lengths: set[int]) -> dict[str, npt.NDArray[np.float32]]:
    """Votes by row, or by the last components of the path, with these ``lengths``."""
    try:
        with open_table(path, ("image", *_ROW_COLUMNS, *_VOTE_COLUMNS), "a vote table") as table:
            by_row = set(_ROW_COLUMNS) <= set(table.columns)
            missing = [
                name for name in ("image", *_VOTE_COLUMNS) if name not in table.columns and not (by_row and name == "image")
            ]
            if missing:
                raise DatasetError(f"{path}: no column {missing[0]!r}; expected image, {', '.join(_VOTE_COLUMNS)}")
            rows = [row for _, row in table.rows]
            if by_row:
                return {row_key(row["Usage"], n, len(rows)): _row_votes(row) for n, row in enumerate(rows, start=1)}
            return {key: _votes(row) for row in rows for key in _path_keys(row["image"], lengths)}
    except ValueError as error:
        raise DatasetError(f"{path}: a row holds something that is not a number of votes") from error


def _votes(row: Mapping[str, str]) -> npt.NDArray[np.float32]:
    votes = np.asarray([float(row[name]) for name in _VOTE_COLUMNS], np.float32)
    if not (np.isfinite(votes) & (votes >= 0)).all():
        raise ValueError
    return votes


def _row_votes(row: Mapping[str, str]) -> npt.NDArray[np.float32]:
    return _votes(row) if row["Image name"].strip() else _REMOVED_VOTES
