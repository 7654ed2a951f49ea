"""Callbacks of a training run: seeds, the end of an epoch, and progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from typing_extensions import override

from emodetect.system.output_files import atomic_write
from emodetect.training.architectures.base import Head
from emodetect.training.averaging import AveragedWeights
from emodetect.training.checkpoint import Checkpoint, room_for
from emodetect.training.console import print_plain
from emodetect.training.data.batches import predict
from emodetect.training.data.part import Part
from emodetect.training.history import TrainingLog
from emodetect.training.run_folder import RunFolder

_SPEED_PERIOD = 600.0
"""Seconds over which the speed is averaged for the remaining time; long enough for several validations."""


class EpochSeed(keras.callbacks.Callback):  # type: ignore[misc]
    """Makes all randomness of an epoch depend on the seed and the epoch only, so that a resumed run gives the same results.

    Keras on PyTorch takes dropout from PyTorch's global generator, whose state no checkpoint holds.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    @override
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        keras.utils.set_random_seed((self._seed + 7919 * epoch) % 2**32)


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch: validate the averaged weights, keep the best, add to the log, save the checkpoint.

    The checkpoint comes last: an epoch that was interrupted before it is repeated after a resume.
    """

    def __init__(
        self,
        folder: RunFolder,
        heads: Sequence[Head],
        validation: Part,
        average: AveragedWeights | None,
        best: float,
        checkpoint: Checkpoint,
        log: TrainingLog,
        report: Callable[[dict[str, float]], None],
    ) -> None:
        super().__init__()
        self._folder, self._heads, self._validation, self._average = folder, heads, validation, average
        self._best, self._checkpoint, self._log, self._report = best, checkpoint, log, report
        self._started = 0.0

    @override
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.perf_counter()

    @override
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        last = self.model.get_weights()
        if self._average and self._average.values:
            self.model.set_weights(self._average.values)
        scores = predict(self.model, self._validation.faces.images)
        accuracy = self._validation.accuracy(scores)
        row: dict[str, float] = {"epoch": epoch + 1, **training_figures(logs or {})}
        row["val_loss"] = self._validation.loss(scores)
        row |= {f"val_{head.name}": value for head, value in zip(self._heads, accuracy, strict=True)}
        row["seconds"] = round(time.perf_counter() - self._started, 1)
        score = float(np.nanmean([value for head, value in zip(self._heads, accuracy, strict=True) if head.learns != "face"]))
        if score > self._best:
            self._best = score
            with atomic_write(self._folder.weights, suffix=".weights.h5", room=room_for(self.model)) as partial:
                self.model.save_weights(partial)
        self.model.set_weights(last)
        self._log.add(row)
        self._checkpoint.save(self.model, self._average.values if self._average else [], epoch + 1, self._best)
        self._report(row)


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """A progress bar for the whole run, if the console is a terminal, and one line per epoch."""

    def __init__(self, console: Console, steps: int, epochs: int, done: int) -> None:
        super().__init__()
        self._console, self._steps, self._epochs, self._epoch = console, steps, epochs, done
        # The terminal prints ^C after the bar; without room for it, the bar could not be removed.
        columns = TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[figures]}"), TimeRemainingColumn()
        self._progress = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal, speed_estimate_period=_SPEED_PERIOD
        )
        self._task = self._progress.add_task("", total=(epochs - done) * steps, figures="")

    def show(self, row: dict[str, float]) -> None:
        """Print the line of a finished epoch."""
        figures = "  ".join(f"{name} {value:.3f}" for name, value in row.items() if name not in ("epoch", "seconds"))
        print_plain(self._console, f"epoch {int(row['epoch'])}/{self._epochs}  {figures}  {row['seconds']:.0f} s")

    @override
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._progress.start()

    @override
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.update(self._task, description=f"epoch {epoch + 1}/{self._epochs}")

    @override
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in training_figures(logs or {}).items())
        self._progress.update(self._task, advance=1, figures=figures)

    def close(self) -> None:
        """Remove the bar; also after an interrupt."""
        self._progress.stop()


def training_figures(logs: dict[str, Any]) -> dict[str, float]:
    """Loss, and accuracy of the first output, from the logs of Keras."""
    accuracy = next((float(value) for name, value in logs.items() if name.endswith("accuracy")), float("nan"))
    return {"loss": float(logs.get("loss", float("nan"))), "accuracy": accuracy}
