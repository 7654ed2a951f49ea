"""The data of a run: what is trained on, what choices are made on, what is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.training.architectures.base import Architecture, Head
from emodetect.training.dataset import LabelledFaces, read_data_set
from emodetect.training.settings import Settings
from emodetect.training.split import group_copies, split_validation, without_copies_of
from emodetect.training.votes import Votes, read_votes
from emodetect.types import EMOTIONS

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """Faces with one target and weight array a head.

    Attributes:
        faces: the images and folder labels.
        targets: for each head float32 (n, labels), rows that sum to 1 where the weight is not 0.
        weights: for each head float32 (n,); 0 where the face has no target for it.
        votes: what people said of the faces, or None.
    """

    faces: LabelledFaces
    targets: tuple[FloatArray, ...]
    weights: tuple[FloatArray, ...]
    votes: Votes | None = None

    def accuracy(self, scores: Sequence[FloatArray]) -> list[float]:
        """Share of right answers of each head, over the faces that have a single true label for it."""
        result = []
        for target, weight, score in zip(self.targets, self.weights, scores, strict=True):
            decided = (weight > 0) & (target.max(axis=1) > 0.5)
            hits = score.argmax(axis=1) == target.argmax(axis=1)
            result.append(float(hits[decided].mean()) if decided.any() else float("nan"))
        return result

    def loss(self, scores: Sequence[FloatArray]) -> float:
        """Cross-entropy, added up over the heads, each the mean over all faces, as Keras computes it in training."""
        total = 0.0
        for target, weight, score in zip(self.targets, self.weights, scores, strict=True):
            total += float((-(target * np.log(np.maximum(score, 1e-7))).sum(axis=1) * weight).mean())
        return total

    def agreed_labels(self) -> npt.NDArray[np.int64]:
        """The labels that most people agree on, int64 (n,), positions in `EMOTIONS`, -1 where they do not agree.

        FER+'s majority where there are votes, else the folders' labels.
        """
        return self.faces.labels if self.votes is None else self.votes.majority_seven()


@dataclass(frozen=True)
class RunData:
    """What a run reads.

    Attributes:
        training: what the network learns from.
        validation: what the best epoch, the default output and the uncertainty threshold are chosen on.
        test: looked at once, at the end.
        heads: the outputs that can be trained on this data.
        notes: what was found in the data, in words, a sentence each.
    """

    training: Part
    validation: Part
    test: LabelledFaces
    heads: tuple[Head, ...]
    notes: tuple[str, ...]


def make_part(faces: LabelledFaces, votes: Votes | None, heads: Sequence[Head], smoothing: float = 0.0) -> Part:
    """Turn labels and votes into targets for these heads; smoothing spreads that share over all labels."""
    targets, weights = [], []
    for head in heads:
        if head.votes:
            if votes is None:
                raise ValueError(f"the head {head.name} needs votes")
            target = votes.distribution()
            weight = (target.sum(axis=1) > 0).astype(np.float32)
        else:
            column = np.asarray([head.labels.index(emotion.value) for emotion in EMOTIONS])
            target = np.eye(len(head.labels), dtype=np.float32)[column[faces.labels]]
            target = target * (1 - smoothing) + np.float32(smoothing / len(head.labels))
            weight = np.ones(len(faces), np.float32)
        targets.append(target.astype(np.float32))
        weights.append(weight)
    return Part(faces, tuple(targets), tuple(weights), votes)


def prepare(settings: Settings, architecture: Architecture) -> RunData:
    """Read the data of a run and split it.

    Images of ``train`` that ``test`` holds too, pixel for pixel, and images that voters call not a face are left out of
    training and validation.

    Raises:
        DatasetError: something in it is missing or cannot be read.
    """
    train, test = read_data_set(Path(settings.data))
    notes = []
    faces = without_copies_of(train, test)
    seen = {image.tobytes() for image in train.images}
    leaked = sum(image.tobytes() in seen for image in test.images)
    if leaked:
        notes.append(f"{leaked:,} images of test stand also in train, pixel for pixel; train goes without them.")
    extra = len(train) - len(np.unique(group_copies(train.images)))
    if extra:
        notes.append(f"{extra:,} images of train are copies of another one; copies stay on one side of the split.")
    if settings.votes:
        nobody = read_votes(Path(settings.votes), faces.keys).not_a_face()
        faces = faces.take(np.flatnonzero(~nobody))
        notes.append(f"{int(nobody.sum()):,} images of train are no faces by the votes and are left out.")
    training, validation = split_validation(faces, settings.validation_share, settings.seed)
    notes.append(f"{len(training):,} faces to train on, {len(validation):,} for validation, {len(test):,} for the test.")
    absent = [emotion.value for i, emotion in enumerate(EMOTIONS) if i not in test.labels]
    if absent:
        notes.append(f"test has no images for {', '.join(absent)}; its means leave these labels out.")
    heads = tuple(head for head in architecture.heads if settings.votes or not head.votes)
    parts = []
    for part, smoothing in ((training, architecture.label_smoothing), (validation, 0.0)):
        votes = read_votes(Path(settings.votes), part.keys) if settings.votes else None
        parts.append(make_part(part, votes, heads, smoothing))
    return RunData(parts[0], parts[1], test, heads, tuple(notes))
