"""Checkpoint of a run between two epochs."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from emodetect.backends.limits import MAX_MODEL_BYTES
from emodetect.errors import DatasetError, first_line
from emodetect.system.output_files import atomic_write
from emodetect.training.averaging import AveragedWeights
from emodetect.training.data.part import FloatArray

_MAX_BYTES = 4 * MAX_MODEL_BYTES
"""Limit of an unpacked checkpoint: the weights, their averages, and the two values that an optimizer keeps per weight."""


class Checkpoint:
    """The state that a run needs to resume, in one file that is replaced atomically.

    Args:
        path: the file.
        data: `RunData.fingerprint` of the run's data.
    """

    def __init__(self, path: Path, data: str) -> None:
        self.path, self._data = path, data

    def save(self, model: keras.Model, average: Sequence[FloatArray], epoch: int, best: float) -> None:
        """Write the state after an epoch.

        Args:
            model: built and compiled.
            average: the averaged weights.
            epoch: number of finished epochs.
            best: the best validation score.
        """
        arrays: dict[str, Any] = {
            "epoch": np.asarray(epoch),
            "best": np.asarray(best),
            "data": np.frombuffer(self._data.encode(), np.uint8),
            **{f"average-{i}": value for i, value in enumerate(average)},
            **{f"state-{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(_state(model))},
        }
        with atomic_write(self.path) as partial:
            np.savez(partial, **arrays)

    def check_data(self) -> None:
        """Check that the checkpoint's data are those of this run; a checkpoint of an older version has no fingerprint and passes.

        Raises:
            DatasetError: the data differ, or the file is damaged.
        """
        if not self.path.exists():
            return
        with self._opened() as saved:
            then = saved["data"].tobytes().decode(errors="replace") if "data" in saved else self._data
        if then != self._data:
            raise DatasetError(
                f"{self.path.parent}: the data of this run (pictures, labels, votes or negatives) changed after its last epoch; "
                "put them back as they were, or start a new run"
            )

    def restore(self, model: keras.Model, average: AveragedWeights | None) -> tuple[int, float]:
        """Load the state; returns the number of finished epochs and the best validation score.

        Args:
            model: built and compiled.
            average: receives the averaged weights, or None.

        Raises:
            DatasetError: the file is damaged, or belongs to another network.
        """
        with self._opened() as saved:
            for i, variable in enumerate(_state(model)):
                variable.assign(saved[f"state-{i}"])
            if average:
                average.values = [saved[f"average-{i}"] for i in range(len(model.weights)) if f"average-{i}" in saved]
            return int(saved["epoch"]), float(saved["best"])

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            _check_size(self.path)
            with np.load(self.path, allow_pickle=False) as saved:
                yield saved
        except zipfile.BadZipFile as error:
            raise DatasetError(
                f"{self.path}: cannot be resumed from (it is damaged)", hint="train again with `overwrite`"
            ) from error
        except Exception as error:  # damaged archives raise almost anything
            raise DatasetError(
                f"{self.path}: cannot be resumed from ({first_line(error)})", hint="train again with `overwrite`"
            ) from error


def room_for(model: keras.Model) -> int:
    """Upper limit of the size of this model's file, bytes, including the optimizer's state if it is compiled."""
    variables = _state(model) if model.compiled else model.variables
    return 2**20 + sum(int(keras.ops.convert_to_numpy(variable).nbytes) for variable in variables)


def _check_size(path: Path) -> None:
    """Reject a file that would fill the memory once unpacked."""
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > _MAX_BYTES:
            raise ValueError(f"would have more than {_MAX_BYTES // 2**20} MB once unpacked")


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]
