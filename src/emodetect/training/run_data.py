"""Data of a run: training, validation and test split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emodetect.errors import DatasetError
from emodetect.text.printable import counted
from emodetect.training.architectures.base import Architecture, Head
from emodetect.training.data.dataset import read_data_set
from emodetect.training.data.label_names import WORDS, LabelNames
from emodetect.training.data.labeled import LabeledFaces
from emodetect.training.data.negatives import displaced_faces, read_negatives
from emodetect.training.data.part import FloatArray, Part
from emodetect.training.data.split import group_copies, split_validation, without_copies_of
from emodetect.training.data.votes import Votes, read_votes
from emodetect.training.distillation import distill
from emodetect.training.hyperparameters import Settings
from emodetect.types import EMOTIONS

_DISPLACED_EVERY = 18
"""One training face in this many is also displaced, as a negative."""


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Attributes:
        training: the training split.
        validation: the validation split, on which the best epoch, the default output and the uncertainty threshold are chosen.
        test: the test split, used once, at the end.
        heads: the outputs that can be trained on this data.
        fingerprint: SHA-256 of the images and targets of training and validation, without the teachers' share.
        notes: sentences about the data.
        backgrounds: uint8 (n, 48, 48), possible backgrounds of a face; None without negatives.
    """

    training: Part
    validation: Part
    test: LabeledFaces
    heads: tuple[Head, ...]
    fingerprint: str
    notes: tuple[str, ...]
    backgrounds: npt.NDArray[np.uint8] | None = None


def make_part(faces: LabeledFaces, votes: Votes | None, heads: Sequence[Head], smoothing: float = 0.0) -> Part:
    """Convert labels and votes of faces to targets.

    Args:
        faces: faces with their labels.
        votes: votes of human annotators (FER+), or None.
        heads: the outputs.
        smoothing: label smoothing, 0 to 1.

    Raises:
        ValueError: a head needs votes, and there are none.
    """
    targets, weights = [], []
    for head in heads:
        if head.learns == "face":
            target = np.tile(_one_hot(head, "face"), (len(faces), 1))
            weight = np.ones(len(faces), np.float32)
        elif head.learns == "votes":
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


def with_negatives(part: Part, images: npt.NDArray[np.uint8], heads: Sequence[Head]) -> Part:
    """Add negatives; only the face output learns from them.

    Args:
        part: faces with targets.
        images: uint8 (n, 48, 48), images without faces.
        heads: the outputs.
    """
    count = len(images)
    faces = LabeledFaces(
        np.concatenate([part.faces.images, images]),
        np.concatenate([part.faces.labels, np.full(count, -1)]),
        (*part.faces.keys, *("" for _ in range(count))),
    )
    targets, weights = [], []
    for head, target, weight in zip(heads, part.targets, part.weights, strict=True):
        nothing = _one_hot(head, "nothing") if head.learns == "face" else np.zeros(len(head.labels), np.float32)
        targets.append(np.concatenate([target, np.tile(nothing, (count, 1))]))
        weights.append(np.concatenate([weight, np.full(count, head.learns == "face", np.float32)]))
    votes = part.votes
    if votes is not None:
        votes = Votes(np.concatenate([votes.counts, np.zeros((count, votes.counts.shape[1]), np.float32)]))
    return Part(faces, tuple(targets), tuple(weights), votes)


def with_balanced_labels(part: Part, heads: Sequence[Head]) -> Part:
    """Add weights that give each label of a folder the same total weight; the mean weight stays the same.

    Args:
        part: faces with targets.
        heads: the outputs; those that learn from votes, or to recognize faces, keep their weights.
    """
    weights = []
    for head, target, weight in zip(heads, part.targets, part.weights, strict=True):
        if head.learns == "label":
            label = target.argmax(axis=1)
            counts = np.bincount(label, weights=weight, minlength=len(head.labels))
            share = np.divide(weight.sum() / np.count_nonzero(counts), counts, out=np.zeros_like(counts), where=counts > 0)
            weight = (weight * share[label]).astype(np.float32)
        weights.append(weight)
    return replace(part, weights=tuple(weights))


def _one_hot(head: Head, label: str) -> FloatArray:
    return np.asarray([[name == label for name in head.labels]], np.float32)


def _fingerprint(*parts: Part) -> str:
    digest = hashlib.sha256()
    for part in parts:
        arrays: list[npt.NDArray[Any]] = [part.faces.images, *part.targets, *part.weights]
        for array in arrays:
            digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()


def prepare(settings: Settings, architecture: Architecture) -> RunData:
    """Read the data of a run and split it.

    Images of ``train`` with a pixel-identical copy in ``test``, and images that the votes call not a face, are left out of
    training and validation.

    Args:
        settings: settings of the run.
        architecture: the architecture to train.

    Raises:
        DatasetError: a part of the data is missing or cannot be read.
    """
    names = LabelNames.parse(settings.folder_labels) if settings.folder_labels else WORDS
    train, test = read_data_set(Path(settings.data), names)
    notes = list(dict.fromkeys((*train.notes, *test.notes)))
    faces = without_copies_of(train, test)
    seen = {image.tobytes() for image in train.images}
    leaked = sum(image.tobytes() in seen for image in test.images)
    if leaked:
        notes.append(f"Train contains copies of {counted(leaked, 'test image')}, which are excluded from training.")
    extra = len(train) - len(np.unique(group_copies(train.images)))
    if extra:
        notes.append(f"Train contains {counted(extra, 'duplicate')}; copies of an image are on the same side of the split.")
    no_faces = train.images[:0]
    if settings.votes:
        nobody = read_votes(Path(settings.votes), faces.keys).not_a_face()
        no_faces, faces = faces.images[nobody], faces.take(np.flatnonzero(~nobody))
        if nobody.any():
            notes.append(f"Excluded from training, since the votes say not a face: {counted(int(nobody.sum()), 'image')}.")
    training, validation = split_validation(faces, settings.validation_share, settings.seed)
    emptied = [emotion.value for label, emotion in enumerate(EMOTIONS) if label not in training.labels]
    if emptied:
        raise DatasetError(f"{settings.data}: too few faces for {', '.join(emptied)}: none is left to train on beside validation")
    notes.append(f"{counted(len(training), 'face')} to train on, {len(validation):,} for validation, {len(test):,} for the test.")
    absent = [emotion.value for i, emotion in enumerate(EMOTIONS) if i not in test.labels]
    if absent:
        notes.append(f"test has no images for {', '.join(absent)}; its means leave these labels out.")
    given = {"label": True, "votes": settings.votes is not None, "face": settings.negatives is not None}
    heads = tuple(head for head in architecture.heads if given[head.learns])
    parts = []
    for part, smoothing in ((training, architecture.label_smoothing), (validation, 0.0)):
        votes = read_votes(Path(settings.votes), part.keys) if settings.votes else None
        parts.append(make_part(part, votes, heads, smoothing))
    training_part, validation_part = parts
    if settings.class_weights == "balanced":
        training_part = with_balanced_labels(training_part, heads)
    backgrounds = None
    if settings.negatives:
        backgrounds, held_back = read_negatives(Path(settings.negatives), settings.validation_share, settings.seed)
        generator = np.random.default_rng(settings.seed)
        chosen = generator.permutation(len(training))[: len(training) // _DISPLACED_EVERY]
        displaced = displaced_faces(training.images[chosen], backgrounds, generator)
        training_part = with_negatives(training_part, np.concatenate([backgrounds, displaced, no_faces]), heads)
        validation_part = with_negatives(validation_part, held_back, heads)
        notes.append(
            f"{counted(len(backgrounds), 'picture')} of something else, {counted(len(displaced), 'displaced face')} and "
            f"{counted(len(no_faces), 'image')} without a face by the votes teach what is none; {len(held_back):,} more are for "
            "validation."
        )
    fingerprint = _fingerprint(training_part, validation_part)
    if settings.teachers:
        targets = distill(training_part.targets, heads, training_part.faces.images, [Path(path) for path in settings.teachers])
        training_part = replace(training_part, targets=targets)
    return RunData(training_part, validation_part, test, heads, fingerprint, tuple(notes), backgrounds)
