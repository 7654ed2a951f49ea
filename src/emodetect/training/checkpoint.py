"""The state of a run between two epochs."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from emodetect.backends.limits import MAX_MODEL_BYTES
from emodetect.errors import DatasetError, first_line
from emodetect.system.output_files import written_whole
from emodetect.training.averaging import AveragedWeights
from emodetect.training.data.part import FloatArray

_MAX_BYTES = 4 * MAX_MODEL_BYTES
"""Limit of an unpacked checkpoint: the weights, their averages, and the two values that an optimizer keeps per weight."""


class Checkpoint:
    """The state that a run needs to resume, in one file that is replaced atomically."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, model: keras.Model, average: Sequence[FloatArray], epoch: int, best: float) -> None:
        """Write the state after an epoch.

        Args:
            model: built and compiled.
            average: the averaged weights.
            epoch: number of finished epochs.
            best: the best validation score.
        """
        arrays = {f"average-{i}": value for i, value in enumerate(average)}
        for i, variable in enumerate(_state(model)):
            arrays[f"state-{i}"] = keras.ops.convert_to_numpy(variable)
        with written_whole(self.path) as partial:
            np.savez(partial, epoch=np.asarray(epoch), best=np.asarray(best), **arrays)  # type: ignore[arg-type]

    def restore(self, model: keras.Model, average: AveragedWeights | None) -> tuple[int, float]:
        """Load the state; returns the number of finished epochs and the best validation score.

        Args:
            model: built and compiled.
            average: gets the averaged weights, or None.

        Raises:
            DatasetError: the file is damaged, or belongs to another network.
        """
        try:
            _check_size(self.path)
            with np.load(self.path, allow_pickle=False) as saved:
                for i, variable in enumerate(_state(model)):
                    variable.assign(saved[f"state-{i}"])
                if average:
                    average.values = [saved[f"average-{i}"] for i in range(len(model.weights)) if f"average-{i}" in saved]
                return int(saved["epoch"]), float(saved["best"])
        except Exception as error:  # damaged archives raise all kinds of errors
            raise DatasetError(
                f"{self.path}: cannot be resumed from ({first_line(error)})", hint="train again with `overwrite`"
            ) from error


def room_for(model: keras.Model) -> int:
    """Upper limit of the size of a file with this model, bytes, including the optimizer's state if it is compiled."""
    variables = _state(model) if model.compiled else model.variables
    return 2**20 + sum(int(keras.ops.convert_to_numpy(variable).nbytes) for variable in variables)


def _check_size(path: Path) -> None:
    """Refuse a file that would fill the memory once unpacked."""
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > _MAX_BYTES:
            raise ValueError(f"would have more than {_MAX_BYTES // 2**20} MB once unpacked")


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]
