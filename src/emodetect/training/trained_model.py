"""The result of a run: the best weights as a model with metadata, the evaluation on the test split, plots and a summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import Scaling
from emodetect.backends.keras_file import check_keras_file
from emodetect.backends.labels import LabelMap
from emodetect.backends.metadata import ModelMetadata, write_keras_metadata
from emodetect.errors import DatasetError
from emodetect.system.native_output import quiet_native_output
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import counted
from emodetect.training.architectures import Head, architecture_named
from emodetect.training.calibration import calibrate
from emodetect.training.checkpoint import Checkpoint, room_for
from emodetect.training.data.batches import predict
from emodetect.training.data.labeled import FACE_SIZE
from emodetect.training.data.negatives import FACE
from emodetect.training.data.part import FloatArray
from emodetect.training.history import read_log
from emodetect.training.hyperparameters import Settings
from emodetect.training.metrics import NEVER_CERTAIN, Metrics, accuracy_where_known, uncertainty_threshold
from emodetect.training.plots import plot_confusion, plot_curves
from emodetect.training.run_data import RunData, prepare
from emodetect.training.run_folder import RunFolder

_MIN_FACE_RECALL = 0.9
"""Share of small validation faces that the face output must accept; it then accepts nearly all sharp faces."""

_SMALL = 16
"""Side of small faces, pixels, since faces from a camera are worse than those of a data set."""


@dataclass(frozen=True)
class TrainedModel:
    """The best weights of a run, in float32.

    Attributes:
        model: the Keras model.
        heads: its outputs.
        metadata: metadata of its files.
        small_faces: uint8 (n, 48, 48), validation faces reduced to 16 pixels; `face_threshold` is measured on them.
    """

    model: keras.Model
    heads: tuple[Head, ...]
    metadata: ModelMetadata
    small_faces: npt.NDArray[np.uint8]

    def seven(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Scores of the default output for uint8 (n, 48, 48) gray faces: float32 (n, 7) in the order of `EMOTIONS`."""
        return _by_output(self.heads, predict(self.model, images))[self.metadata.default or self.heads[0].name]

    def save(self, path: Path, *, overwrite: bool = True) -> None:
        """Write a whole Keras model with its metadata, ``.h5`` or ``.keras``, atomically.

        Args:
            path: file to write.
            overwrite: whether an existing file may be replaced.

        Raises:
            OutputError: the file exists and may not be overwritten, or cannot be written.
        """
        with atomic_write(path, overwrite=overwrite, room=room_for(self.model)) as partial:
            with quiet_native_output():  # Keras warns about HDF5, which the tutorial's script requires
                self.model.save(partial)
            write_keras_metadata(partial, self.metadata)


def load_best(path: Path, data: RunData | None = None) -> TrainedModel:
    """Load the best weights of a run.

    Scores are calibrated on the validation split of the run (see `calibration`). The default output (a head, or the mean of all)
    and the uncertainty threshold are chosen on it by the agreed labels: FER+'s majority if there are votes, otherwise the labels
    of the folders.

    Args:
        path: the run's folder.
        data: data of the run; None to read it again.

    Raises:
        DatasetError: the folder contains no run with a finished epoch, or its data cannot be read or have changed.
        ModelError: its weights are rejected for safety.
    """
    settings, folder = Settings.load(path), RunFolder(path)
    architecture = architecture_named(settings.architecture)
    # Teachers affect only the training split, which is not needed here.
    if data is None:
        data = prepare(replace(settings, teachers=()), architecture)
        Checkpoint(folder.checkpoint, data.fingerprint).check_data()
    keras.config.set_dtype_policy("float32")
    model = architecture.build(data.heads)
    if folder.weights.exists():
        check_keras_file(folder.weights)
    try:
        model.load_weights(folder.weights)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder.weights}: cannot be read; has the run finished an epoch? ({error})") from error
    images = data.validation.faces.images
    calibration = calibrate(model, data.heads, data.validation, predict(model, images))
    scores = predict(model, images)
    truth, small = data.validation.agreed_labels(), _small_faces(data)
    seven = _by_output(data.heads, scores)
    agreed = {name: accuracy_where_known(score, truth) for name, score in seven.items()}
    default = max(agreed, key=lambda name: agreed[name])
    accuracy = dict(zip((head.name for head in data.heads), data.validation.accuracy(scores), strict=True))
    metadata = ModelMetadata(
        labels={head.name: head.labels for head in data.heads if head.learns != "face"},
        scaling=Scaling.to_range(0, 1),  # as in `as_input`
        channels="gray",
        default=default,
        uncertain_below=uncertainty_threshold(seven[default], truth),
        face=next((head.name for head in data.heads if head.learns == "face"), None),
        face_above=_face_threshold_of(model, data.heads, small),
        facts={
            "architecture": architecture.name,
            "data": Path(settings.data).name + (" with votes" if settings.votes else ""),
            "epochs": settings.epochs,
            "seed": settings.seed,
            "calibration": calibration,
            "validation_accuracy": {name: round(value, 4) for name, value in accuracy.items()},
            "validation_accuracy_seven_agreed": {name: round(value, 4) for name, value in agreed.items()},
            "keras": keras.__version__,
        },
    )
    return TrainedModel(model, data.heads, metadata, small)


def finish(path: Path, data: RunData) -> tuple[TrainedModel, str]:
    """Create the model, metrics, plots and summary of a completed run.

    Args:
        path: the run's folder; receives ``best.keras``, ``test.json``, ``curves.png``, ``confusion.png`` and ``summary.txt``.
        data: the run's data; its test split is used only here.

    Returns:
        The best model, and the summary without the notes on the data, which were printed before.
    """
    settings, folder = Settings.load(path), RunFolder(path)
    trained = load_best(path, data)
    with folder.locked():
        return trained, _finish(settings, folder, trained, data)


def _finish(settings: Settings, folder: RunFolder, trained: TrainedModel, data: RunData) -> str:
    trained.save(folder.claim(folder.model))
    test = Metrics.of(trained.seven(data.test.images), data.test.labels)
    with atomic_write(folder.claim(folder.figures)) as partial:
        partial.write_text(json.dumps(test.as_dict(), indent=2) + "\n", encoding="utf-8")
    plot_curves(read_log(folder.log), folder.claim(folder.curves))
    plot_confusion([test.confusion], [settings.architecture], folder.claim(folder.confusion))
    summary = _summary(settings, folder, trained, test)
    with atomic_write(folder.claim(folder.summary)) as partial:
        partial.write_text("\n".join([summary, *data.notes, ""]), encoding="utf-8")
    return summary


def face_threshold(scores: FloatArray) -> float:
    """Face score that 90% of the validation faces reach when reduced to 16 pixels.

    Args:
        scores: float32 (n,), face scores of `TrainedModel.small_faces`.
    """
    return round(float(np.quantile(scores, 1 - _MIN_FACE_RECALL)), 4)


def _face_threshold_of(model: keras.Model, heads: tuple[Head, ...], small_faces: npt.NDArray[np.uint8]) -> float | None:
    position = next((index for index, head in enumerate(heads) if head.learns == "face"), None)
    return None if position is None else face_threshold(predict(model, small_faces)[position][:, FACE])


def _small_faces(data: RunData) -> npt.NDArray[np.uint8]:
    faces = data.validation.faces
    small = [cv2.resize(image, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA) for image in faces.images[faces.labels >= 0]]
    return np.asarray([cv2.resize(image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_LINEAR) for image in small], np.uint8)


def _by_output(heads: tuple[Head, ...], scores: list[FloatArray]) -> dict[str, FloatArray]:
    """Scores over `EMOTIONS` of each emotion output, and of the mean if there are several."""
    pairs = [(head, score) for head, score in zip(heads, scores, strict=True) if head.learns != "face"]
    seven = {head.name: LabelMap(head.labels).apply(score) for head, score in pairs}
    if len(seven) > 1:
        seven["mean"] = np.asarray(np.mean(list(seven.values()), axis=0), np.float32)
    return seven


def best_epoch(rows: Sequence[dict[str, float]], heads: Sequence[Head]) -> dict[str, float]:
    """Row of the epoch whose weights were kept: the best one on validation over the emotion heads (see `EpochEnd`).

    Args:
        rows: rows of the log.
        heads: the outputs.
    """
    names = [f"val_{head.name}" for head in heads if head.learns != "face"]
    return max(rows, key=lambda row: float(np.nanmean([row[name] for name in names])))


def duration(seconds: float) -> str:
    """Format a duration: in seconds if it is short, otherwise in minutes."""
    return counted(round(seconds), "second") if seconds < 120 else counted(round(seconds / 60), "minute")


def _summary(settings: Settings, folder: RunFolder, trained: TrainedModel, test: Metrics) -> str:
    rows = read_log(folder.log)
    best = best_epoch(rows, trained.heads)
    validation = ", ".join(f"{head.name} {100 * best[f'val_{head.name}']:.1f}%" for head in trained.heads)
    weakest = min(
        (name for name, figures in test.per_class.items() if figures["support"]), key=lambda name: test.per_class[name]["recall"]
    )
    return "\n".join(
        [
            f"{settings.architecture}: {trained.model.count_params():,} weights, {counted(settings.epochs, 'epoch')} of "
            f"{Path(settings.data).name}{' with votes' if settings.votes else ''}, seed {settings.seed}, "
            f"Keras {keras.__version__} on {keras.backend.backend()}, {duration(sum(row.get('seconds', 0.0) for row in rows))}.",
            f"Best epoch by validation: {int(best['epoch'])}, accuracy {validation}; default output: {trained.metadata.default}.",
            f"Test ({counted(test.count, 'face')}): accuracy {100 * test.accuracy:.1f}%, balanced "
            f"{100 * test.balanced_accuracy:.1f}%, macro F1 {test.macro_f1:.3f}, calibration error {test.ece:.3f}.",
            f"Lowest recall: {weakest}, {100 * test.per_class[weakest]['recall']:.0f}%.",
            _certainty(trained.metadata.uncertain_below or NEVER_CERTAIN),
        ]
    )


def _certainty(threshold: float) -> str:
    if threshold >= NEVER_CERTAIN:
        return f"Readings with a confidence below {threshold:.2f} are uncertain: no threshold gives a validation accuracy of 90%."
    return f"Readings with a confidence below {threshold:.2f} are uncertain: above it, validation accuracy is 90%."
