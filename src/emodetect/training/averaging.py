"""Exponential moving average of the weights, which is validated and saved if the architecture uses it."""

from __future__ import annotations

from typing import Any

import keras
from typing_extensions import override

from emodetect.training.data.part import FloatArray


class AveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Exponential moving average of all weights, batch statistics included.

    Averaging the weights alone leaves the batch normalization with statistics of other weights.
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
        # The average starts with a short memory, so that it forgets the random initial weights.
        step = int(self.model.optimizer.iterations)
        decay = min(self._decay, (1 + step) / (10 + step))
        for average, value in zip(self.values, current, strict=True):
            average += (1 - decay) * (value - average)
