"""The training loop: augmented batches, averaged weights, validation, one checkpoint per epoch."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import keras
import numpy as np
from rich.console import Console

from emodetect.backends.keras_file import check_keras_file
from emodetect.errors import DatasetError, first_line
from emodetect.system.native_output import quiet_native_output
from emodetect.text.printable import one_line
from emodetect.training.architectures import architecture_named
from emodetect.training.architectures.base import Architecture
from emodetect.training.averaging import AveragedWeights
from emodetect.training.callbacks import EpochEnd, EpochSeed, ProgressBar
from emodetect.training.checkpoint import Checkpoint
from emodetect.training.console import print_plain
from emodetect.training.data.augment import AUGMENTATIONS
from emodetect.training.data.batches import AugmentedBatches
from emodetect.training.history import TrainingLog
from emodetect.training.hyperparameters import Settings
from emodetect.training.run_data import RunData, prepare
from emodetect.training.run_folder import RunFolder


def train(
    settings: Settings, path: Path, *, resume: bool = False, overwrite: bool = False, console: Console | None = None
) -> RunData:
    """Train a network and keep its best weights on validation.

    Args:
        settings: architecture, data and hyperparameters.
        path: the run's folder; receives settings, versions, log, checkpoint and best weights (see `RunFolder`).
        resume: continue after the last finished epoch of the run in that folder.
        overwrite: start again if the folder contains a run.
        console: console for progress; None for standard error.

    Returns:
        The data of the run, for `trained_model.finish`.

    Raises:
        DatasetError: the data cannot be trained on, or have changed since the resumed run.
        OutputError: the folder contains a run or other files, or another run uses it.
    """
    console = console or Console(stderr=True)
    architecture = architecture_named(settings.architecture)
    architecture = dataclasses.replace(
        architecture,
        batch_size=settings.batch_size or architecture.batch_size,
        learning_rate=settings.learning_rate or architecture.learning_rate,
        augmentation=AUGMENTATIONS[settings.augmentation] if settings.augmentation else architecture.augmentation,
    )
    data = prepare(settings, architecture)
    for note in data.notes:
        print_plain(console, one_line(note))
    folder = RunFolder(path)
    with folder.locked():
        if resume:
            Checkpoint(folder.checkpoint, data.fingerprint).check_data()
            folder.resume()
        else:
            folder.start(overwrite=overwrite)
        folder.save_settings(settings)
        folder.save_versions(keras.backend.backend())
        _fit(settings, architecture, data, folder, console)
    return data


def _fit(settings: Settings, architecture: Architecture, data: RunData, folder: RunFolder, console: Console) -> None:
    with quiet_native_output():  # Keras imports TensorFlow if it is installed, whatever its backend
        keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(settings.precision)
    model = architecture.build(data.heads)
    if settings.start:
        start_from(model, Path(settings.start))
    batches = AugmentedBatches(data.training, architecture.augmentation, architecture.batch_size, settings.seed, data.backgrounds)
    optimizer = architecture.optimizer(architecture.learning_rate, len(batches), settings.epochs)
    model.compile(
        optimizer,
        loss=["categorical_crossentropy"] * len(data.heads),
        weighted_metrics=[["accuracy"] for _ in data.heads],
    )
    optimizer.build(model.trainable_variables)
    average = AveragedWeights(architecture.averaging) if architecture.averaging else None
    checkpoint = Checkpoint(folder.checkpoint, data.fingerprint)
    done, best = checkpoint.restore(model, average) if folder.checkpoint.exists() else (0, -1.0)
    batches.start_at(done)
    progress = ProgressBar(console, len(batches), settings.epochs, done)
    for path in (folder.log, folder.events, folder.weights, folder.checkpoint):
        folder.claim(path)
    with folder.new_events():
        training_log = TrainingLog(folder.log, folder.events, done)
    if len(training_log.rows) < done:
        print_plain(
            console,
            f"log.csv tells of {len(training_log.rows)} of the {done} finished epochs; curves and summary miss the others.",
        )
    with training_log as log:
        end = EpochEnd(folder, data.heads, data.validation, average, best, checkpoint, log, progress.show)
        callbacks = [EpochSeed(settings.seed), *([average] if average else []), progress, end]
        try:
            model.fit(batches, initial_epoch=done, epochs=settings.epochs, callbacks=callbacks, verbose=0, shuffle=False)
        finally:
            progress.close()


def start_from(model: keras.Model, path: Path) -> None:
    """Load the weights of an earlier run; heads that it does not have keep their weights.

    Args:
        model: the network.
        path: weights file of the earlier run.

    Raises:
        ModelError: the file cannot be read, or is rejected for safety.
        DatasetError: the file contains no weights, or those of another network.
    """
    check_keras_file(path)
    before = [weight.copy() for weight in model.get_weights()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about layers that are missing in the file
            model.load_weights(path, skip_mismatch=True)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be started from ({first_line(error)})") from error
    changed = sum(not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    if changed < len(before) / 2:
        raise DatasetError(f"{path}: holds the weights of another network")
