"""Evaluation of backends on labeled face crops."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.backends.base import EmotionBackend
from emodetect.errors import DatasetError, about
from emodetect.training.data.dataset import read_crops, read_faces
from emodetect.training.data.fer_csv import read_csv
from emodetect.training.data.label_folders import check_folder, is_table, part_folder
from emodetect.training.data.label_names import WORDS, LabelNames
from emodetect.training.data.labeled import LabeledCrops, LabeledFaces
from emodetect.training.data.votes import Votes, read_votes
from emodetect.training.metrics import Metrics, calibration_error, paired_difference
from emodetect.types import EMOTIONS

_BATCH = 64


@dataclass(frozen=True)
class EvaluationSet:
    """The data that models are evaluated on.

    Attributes:
        faces: the crops with their labels.
        votes: votes of human annotators (FER+), or None.
        copies: bool (n,), crops with a pixel-identical copy in the training split beside them; None if there is none.
    """

    faces: LabeledCrops
    votes: Votes | None
    copies: npt.NDArray[np.bool_] | None

    @classmethod
    def read(cls, folder: Path, votes: Path | None, names: LabelNames = WORDS) -> EvaluationSet:
        """Read ``folder/<label>/*``, its votes and, to find copies, ``train`` beside it; or the same from fer2013.csv.

        Args:
            folder: folder with one folder per label, or a data set, of which ``test`` is read.
            votes: the table of FER+ votes, or None.
            names: meanings of the names of folders, or the numbers in a table.

        Raises:
            DatasetError: a part is missing or cannot be read.
        """
        if is_table(folder):
            return cls._read_table(folder, votes, names)
        folder, faces = _read_folder(folder, names)
        found = None if votes is None else read_votes(votes, faces.keys)
        train = part_folder(folder.absolute().parent, "train")
        if train is None or train.samefile(folder):
            return cls(faces, found, None)
        try:
            seen = {image.tobytes() for image in read_faces(train, names=names, allow_missing=True).images}
        except DatasetError:  # "train" is no training split
            return cls(faces, found, None)
        copies = np.asarray([image.tobytes() in seen for image in faces.as_faces().images])
        return cls(faces, found, copies)

    @classmethod
    def _read_table(cls, path: Path, votes: Path | None, names: LabelNames) -> EvaluationSet:
        train, test = read_csv(path, names=names, only_test=True)
        faces = _as_crops(test)
        found = None if votes is None else read_votes(votes, test.keys)
        seen = {image.tobytes() for image in train.images}
        copies = np.asarray([image.tobytes() in seen for image in test.images]) if seen else None
        return cls(faces, found, copies)


@about("data")
def read_test_faces(data: Path, names: LabelNames = WORDS) -> LabeledCrops:
    """Read only the faces of a test set; arguments as for `EvaluationSet.read`."""
    return _as_crops(read_csv(data, names=names, only_test=True)[1]) if is_table(data) else _read_folder(data, names)[1]


@about("data")
def _read_folder(folder: Path, names: LabelNames) -> tuple[Path, LabeledCrops]:
    """Crops in the labels' folders, or in the test split of a data set, and their folder."""
    check_folder(folder, "a folder with one folder for each emotion, or fer2013.csv")
    assumed: tuple[str, ...] = ()
    if (test := part_folder(folder, "test")) is not None:
        folder, assumed = test, (f"{test}: this part is judged on",)
    faces = read_crops(folder, names=names, allow_missing=True)
    return folder, replace(faces, notes=(*assumed, *faces.notes))


def _as_crops(faces: LabeledFaces) -> LabeledCrops:
    crops = tuple(np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8) for image in faces.images)
    return LabeledCrops(crops, faces.labels, faces.keys, faces.notes)


@dataclass(frozen=True)
class Result:
    """The result of a model on an `EvaluationSet`.

    Attributes:
        model: its display name.
        scores: float32 (n, 7), in the order of `EMOTIONS`.
        scores_eight: float32 (n, 8), in the order of `EIGHT_LABELS`; None if the model has no contempt label.
        seconds: time for classifying all faces.
    """

    model: str
    scores: npt.NDArray[np.float32]
    scores_eight: npt.NDArray[np.float32] | None
    seconds: float

    def correct(self, test_set: EvaluationSet) -> npt.NDArray[np.bool_]:
        """Whether the model agrees with each folder label, bool (n,)."""
        return np.asarray(self.scores.argmax(axis=1) == test_set.faces.labels)

    def as_dict(self, test_set: EvaluationSet, reference: Result | None = None) -> dict[str, Any]:
        """Convert the metrics to a dictionary, as in the output format.

        Args:
            test_set: the test set of the result.
            reference: another model, for the difference to it, or None.
        """
        labels = test_set.faces.labels
        record: dict[str, Any] = {"model": self.model, **Metrics.of(self.scores, labels).as_dict()}
        record["seconds_per_1000"] = round(1000 * self.seconds / len(labels), 4)
        if test_set.votes is not None:
            record["votes"] = self._by_votes(test_set.votes, np.ones(len(labels), bool))
        if test_set.copies is not None and not test_set.copies.all():
            kept = ~test_set.copies
            record["without_train_copies"] = Metrics.of(self.scores[kept], labels[kept]).overall()
            if test_set.votes is not None:
                record["without_train_copies"]["votes"] = self._by_votes(test_set.votes, kept)
        if reference is not None:
            difference, low, high = paired_difference(self.correct(test_set), reference.correct(test_set))
            record["difference"] = {"to": reference.model, "accuracy": difference, "interval_95": [low, high]}
        return record

    def _by_votes(self, votes: Votes, kept: npt.NDArray[np.bool_]) -> dict[str, float | None]:
        """Accuracy and calibration by FER+'s official majority: over eight labels if the model has them, and over seven."""
        truth = np.where(kept, votes.majority_eight(), -1)
        seven = np.flatnonzero((truth >= 0) & (truth < len(EMOTIONS)))
        scores, all_labels = self.by_votes(truth)
        return {
            "accuracy": _share(scores.argmax(axis=1) == all_labels),
            "count": len(all_labels),
            "accuracy_7": _share(self.scores[seven].argmax(axis=1) == truth[seven]),
            "count_7": len(seven),
            "ece": calibration_error(scores, all_labels) if len(all_labels) else None,
        }

    def by_votes(self, truth: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Scores and true labels of the faces with a majority, over as many labels as the model has.

        Args:
            truth: int64 (n,), positions in `EIGHT_LABELS`, -1 if there is no majority.

        Returns:
            float32 (m, 8 or 7) and int64 (m,).
        """
        scores = self.scores if self.scores_eight is None else self.scores_eight
        chosen = np.flatnonzero((truth >= 0) & (truth < scores.shape[1]))
        return scores[chosen], truth[chosen]


def evaluate_backend(
    backend: EmotionBackend, model: str, test_set: EvaluationSet, advance: Callable[[int], None] = lambda count: None
) -> Result:
    """Classify every crop with a backend.

    Args:
        backend: the backend.
        model: its display name.
        test_set: the data.
        advance: called with the number of further finished crops.
    """
    crops = test_set.faces.crops
    batches = [crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH)]
    scores, eight = [], []
    seconds = 0.0
    for batch in batches:
        started = time.perf_counter()
        scores.append(backend.classify(batch))
        seconds += time.perf_counter() - started
        if test_set.votes is not None and backend.tells_contempt:
            eight.append(backend.classify_eight(batch))
        advance(len(batch))
    return Result(model, np.concatenate(scores), np.concatenate(eight) if eight else None, seconds)


def _share(right: npt.NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if right.size else None
