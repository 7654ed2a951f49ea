"""The training loop: augmented batches, averaged weights, validation, a checkpoint an epoch."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.errors import DatasetError
from emodetect.training.architectures import Architecture, Head, architecture_named
from emodetect.training.augment import Augmentation
from emodetect.training.dataset import (
    LabelledFaces,
    Votes,
    read_faces,
    read_votes,
    split_validation,
    without_copies_of,
)
from emodetect.types import EMOTIONS

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """All that a training run depends on; saved as ``settings.json`` in its folder.

    Attributes:
        data: folder that holds ``train/<label>/`` and, where there is one, ``test/<label>/``.
        votes: FER+ table, or None.
        architecture: name in `ARCHITECTURES`.
        epochs: passes over the training part.
        seed: of the split, the first weights, the order and the augmentation.
        validation_share: part of ``train`` that choices are made on.
        precision: Keras dtype policy while training: float32, or mixed_bfloat16 (faster on processors with
            AVX-512 BF16); the saved model is always float32.
    """

    data: str
    votes: str | None
    architecture: str
    epochs: int
    seed: int = 0
    validation_share: float = 0.1
    precision: str = "float32"

    def save(self, folder: Path) -> None:
        """Write the settings into a run's folder."""
        (folder / "settings.json").write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """Read the settings of an earlier run.

        Raises:
            DatasetError: the folder holds no run.
        """
        try:
            return cls(**json.loads((folder / "settings.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DatasetError(f"{folder}: not the folder of a training run ({error})") from error


@dataclass(frozen=True)
class Part:
    """Faces with one target and weight array a head.

    Attributes:
        faces: the images and folder labels.
        targets: for each head float32 (n, labels), rows that sum to 1 where the weight is not 0.
        weights: for each head float32 (n,); 0 where the face has no target for it.
    """

    faces: LabelledFaces
    targets: tuple[FloatArray, ...]
    weights: tuple[FloatArray, ...]

    def accuracy(self, scores: Sequence[FloatArray]) -> list[float]:
        """Share of right answers of each head, over the faces that have a single true label for it."""
        result = []
        for target, weight, score in zip(self.targets, self.weights, scores, strict=True):
            decided = (weight > 0) & (target.max(axis=1) > 0.5)
            hits = score.argmax(axis=1) == target.argmax(axis=1)
            result.append(float(hits[decided].mean()) if decided.any() else float("nan"))
        return result


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
    return Part(faces, tuple(targets), tuple(weights))


def as_input(images: npt.NDArray[np.uint8]) -> FloatArray:
    """Gray images (n, h, w) as networks take them: float32 (n, h, w, 1), 0..1."""
    return np.asarray(images[..., np.newaxis] / np.float32(255), np.float32)


class AugmentedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches whose order and changes depend on the seed and the epoch alone."""

    def __init__(self, part: Part, augmentation: Augmentation, batch_size: int, seed: int, epoch: int) -> None:
        super().__init__()
        self._part, self._augmentation, self._batch_size = part, augmentation, batch_size
        self._seed, self._epoch = seed, epoch
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._part.faces))

    def __len__(self) -> int:
        return len(self._part.faces) // self._batch_size or 1

    def __getitem__(self, index: int) -> tuple[FloatArray, tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        generator = np.random.default_rng((self._seed, self._epoch, index))
        images = self._augmentation.apply(self._part.faces.images[chosen], generator)
        return (
            as_input(images),
            tuple(target[chosen] for target in self._part.targets),
            tuple(weight[chosen] for weight in self._part.weights),
        )

    @override
    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._start_epoch()


class AveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Exponential moving average of all weights, batch statistics included.

    Averaging the weights alone leaves the batch normalisation with statistics of other weights.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self._decay = decay
        self.values: list[FloatArray] = []

    @override
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        current = [keras.ops.convert_to_numpy(weight) for weight in self.model.weights]
        if not self.values:
            self.values = [value.copy() for value in current]
        # The average starts short, so that it does not carry the first, random weights along.
        step = int(self.model.optimizer.iterations)
        decay = min(self._decay, (1 + step) / (10 + step))
        for average, value in zip(self.values, current, strict=True):
            average += (1 - decay) * (value - average)


class Checkpoint:
    """Everything that a run needs to go on, in one file that is replaced in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, model: keras.Model, average: Sequence[FloatArray], epoch: int, best: float) -> None:
        """Write the state after an epoch."""
        arrays = {f"average-{i}": value for i, value in enumerate(average)}
        for i, variable in enumerate(_state(model)):
            arrays[f"state-{i}"] = keras.ops.convert_to_numpy(variable)
        partial = self.path.with_suffix(".partial.npz")
        np.savez(partial, epoch=np.asarray(epoch), best=np.asarray(best), **arrays)  # type: ignore[arg-type]
        os.replace(partial, self.path)

    def restore(self, model: keras.Model, average: AveragedWeights) -> tuple[int, float]:
        """Load the state into a built and compiled model; returns the epochs done and the best validation score."""
        with np.load(self.path) as saved:
            for i, variable in enumerate(_state(model)):
                variable.assign(saved[f"state-{i}"])
            average.values = [saved[f"average-{i}"] for i in range(len(model.weights)) if f"average-{i}" in saved]
            return int(saved["epoch"]), float(saved["best"])


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


class _EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch: validate the averaged weights, keep the best, save the checkpoint, add to the log."""

    def __init__(
        self,
        folder: Path,
        heads: Sequence[Head],
        validation: Part,
        average: AveragedWeights | None,
        best: float,
        report: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._folder, self._heads, self._validation, self._average = folder, heads, validation, average
        self._best, self._report = best, report

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        last = self.model.get_weights()
        if self._average and self._average.values:
            self.model.set_weights(self._average.values)
        scores = predict(self.model, self._validation.faces.images)
        accuracy = self._validation.accuracy(scores)
        row: dict[str, float] = {"epoch": epoch + 1, "loss": float((logs or {}).get("loss", float("nan")))}
        row |= {f"val_{head.name}": value for head, value in zip(self._heads, accuracy, strict=True)}
        score = float(np.nanmean(accuracy))
        if score > self._best:
            self._best = score
            self.model.save_weights(self._folder / "best.weights.h5")
        self.model.set_weights(last)
        Checkpoint(self._folder / "checkpoint.npz").save(
            self.model, self._average.values if self._average else [], epoch + 1, self._best
        )
        _append_row(self._folder / "log.csv", row)
        self._report("  ".join(f"{name} {value:.4g}" for name, value in row.items()))


def _append_row(path: Path, row: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def predict(model: keras.Model, images: npt.NDArray[np.uint8]) -> list[FloatArray]:
    """Scores of each head for uint8 (n, 48, 48) gray faces: a list of float32 (n, labels)."""
    scores = model.predict(as_input(images), batch_size=256, verbose=0)
    return [np.asarray(head) for head in scores] if isinstance(scores, list | tuple) else [np.asarray(scores)]


def prepare(settings: Settings, architecture: Architecture) -> tuple[Part, Part, tuple[Head, ...]]:
    """Read the data of a run: its training part, its validation part and the heads that can be trained.

    Images of ``train`` that ``test`` holds too, pixel for pixel, and images that voters call not a face are left out.
    """
    root = Path(settings.data)
    faces = read_faces(root / "train")
    if (root / "test").is_dir():
        faces = without_copies_of(faces, read_faces(root / "test", allow_missing=True))
    if settings.votes:
        faces = faces.take(np.flatnonzero(~read_votes(Path(settings.votes), faces.keys).not_a_face()))
    training, validation = split_validation(faces, settings.validation_share, settings.seed)
    heads = tuple(head for head in architecture.heads if settings.votes or not head.votes)
    parts = []
    for part, smoothing in ((training, architecture.label_smoothing), (validation, 0.0)):
        votes = read_votes(Path(settings.votes), part.keys) if settings.votes else None
        parts.append(make_part(part, votes, heads, smoothing))
    return parts[0], parts[1], heads


def train(settings: Settings, folder: Path, *, resume: bool = False, report: Callable[[str], None] = print) -> Path:
    """Train a network and keep its best weights by validation.

    Args:
        settings: what to train on what.
        folder: the run's folder; gets settings.json, log.csv, checkpoint.npz and best.weights.h5.
        resume: go on after the last finished epoch of the run in that folder.
        report: gets a line an epoch.

    Returns:
        The file with the best weights.
    """
    architecture = architecture_named(settings.architecture)
    folder.mkdir(parents=True, exist_ok=True)
    training, validation, heads = prepare(settings, architecture)
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(settings.precision)
    model = architecture.build(heads)
    steps = len(training.faces) // architecture.batch_size or 1
    optimizer = architecture.optimizer(steps, settings.epochs)
    model.compile(optimizer, loss=["categorical_crossentropy"] * len(heads))
    optimizer.build(model.trainable_variables)
    average = AveragedWeights(architecture.averaging)
    done, best = 0, -1.0
    checkpoint = Checkpoint(folder / "checkpoint.npz")
    if resume:
        done, best = checkpoint.restore(model, average)
    else:
        settings.save(folder)
    callbacks: list[keras.callbacks.Callback] = [average] if architecture.averaging else []
    callbacks.append(_EpochEnd(folder, heads, validation, average if architecture.averaging else None, best, report))
    batches = AugmentedBatches(training, architecture.augmentation, architecture.batch_size, settings.seed, done)
    model.fit(batches, initial_epoch=done, epochs=settings.epochs, callbacks=callbacks, verbose=0, shuffle=False)
    return folder / "best.weights.h5"
