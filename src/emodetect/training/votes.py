"""FER+: what ten people said each FER-2013 face shows (Barsoum et al. 2016, arXiv 1608.01041)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.backends.labels import LabelMap
from emodetect.errors import DatasetError
from emodetect.suggestions import did_you_mean_file
from emodetect.types import EMOTIONS

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The eight emotions of FER+ in the order of its own file."""

_VOTE_COLUMNS = (*FERPLUS_LABELS, "unknown", "NF")


@dataclass(frozen=True)
class Votes:
    """FER+ votes of ten people a face, matched to a set of faces.

    Attributes:
        counts: float32 (n, 10), columns as `FERPLUS_LABELS`, then unknown and not-a-face; zeros where a face
            has no votes. Votes of one are dropped already, as the FER+ authors do.
    """

    counts: npt.NDArray[np.float32]

    def majority(self) -> npt.NDArray[np.int64]:
        """The official majority label, int64 (n,): a position in `FERPLUS_LABELS`, or -1 where there is none.

        The winner needs more than half of the votes that remain; an unknown or not-a-face winner counts as none
        (`ferplus.py`, mode 'majority', of the FER+ authors).
        """
        winner = self.counts.argmax(axis=1)
        decided = self.counts.max(axis=1) > 0.5 * self.counts.sum(axis=1)
        return np.where(decided & (winner < len(FERPLUS_LABELS)), winner, -1).astype(np.int64)

    def majority_eight(self) -> npt.NDArray[np.int64]:
        """The official majority label, int64 (n,): a position in `EIGHT_LABELS`, or -1 where there is none."""
        positions = LabelMap(FERPLUS_LABELS).apply_eight(np.eye(len(FERPLUS_LABELS), dtype=np.float32)).argmax(axis=1)
        majority = self.majority()
        return np.where(majority >= 0, positions[majority], -1).astype(np.int64)

    def majority_seven(self) -> npt.NDArray[np.int64]:
        """The same as a position in `EMOTIONS`, -1 also where contempt has won."""
        eight = self.majority_eight()
        return np.where(eight < len(EMOTIONS), eight, -1).astype(np.int64)

    def distribution(self) -> npt.NDArray[np.float32]:
        """The votes for the eight emotions as shares, float32 (n, 8); rows of zeros where nobody voted for one."""
        emotions = self.counts[:, : len(FERPLUS_LABELS)]
        total = emotions.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(emotions, total, out=np.zeros_like(emotions), where=total > 0))

    def not_a_face(self) -> npt.NDArray[np.bool_]:
        """Where 'not a face' has the most votes, bool (n,)."""
        return np.asarray((self.counts.argmax(axis=1) == len(_VOTE_COLUMNS) - 1) & (self.counts.max(axis=1) > 0))


def read_votes(path: Path, keys: Sequence[str]) -> Votes:
    """Read a FER+ vote table for the faces with these keys.

    Raises:
        DatasetError: the file is missing, lacks a column, or names none of the faces.
    """
    table = dict(_vote_rows(path))
    nothing = np.zeros(len(_VOTE_COLUMNS), np.float32)
    if not any(key in table for key in keys):
        example = keys[0] if keys else "nothing"
        raise DatasetError(f"{path}: has votes for none of the images; they are matched by paths such as {example}")
    counts = np.stack([table.get(key, nothing) for key in keys])
    return Votes(np.where(counts > 1, counts, 0).astype(np.float32))


def _vote_rows(path: Path) -> Iterable[tuple[str, npt.NDArray[np.float32]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("image", *_VOTE_COLUMNS) if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{path}: no column {missing[0]!r}; expected image, {', '.join(_VOTE_COLUMNS)}")
            for row in reader:
                key = "/".join(Path(row["image"]).parts[-3:])
                votes = np.asarray([float(row[name]) for name in _VOTE_COLUMNS], np.float32)
                if not (np.isfinite(votes) & (votes >= 0)).all():
                    raise ValueError
                yield key, votes
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a vote table ({error})") from error
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: a row holds something that is not a number of votes") from error
