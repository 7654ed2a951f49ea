"""The state of a run between two epochs."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from emodetect.errors import DatasetError
from emodetect.training.averaging import AveragedWeights
from emodetect.training.parts import FloatArray


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

    def restore(self, model: keras.Model, average: AveragedWeights | None) -> tuple[int, float]:
        """Load the state into a built and compiled model; returns the epochs done and the best validation score.

        Raises:
            DatasetError: the file is damaged, or belongs to another network.
        """
        try:
            with np.load(self.path) as saved:
                for i, variable in enumerate(_state(model)):
                    variable.assign(saved[f"state-{i}"])
                if average:
                    average.values = [saved[f"average-{i}"] for i in range(len(model.weights)) if f"average-{i}" in saved]
                return int(saved["epoch"]), float(saved["best"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{self.path}: cannot be resumed from ({error}); train again with --overwrite") from error


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]
