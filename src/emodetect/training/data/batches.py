"""Faces as input of Keras: shuffled, augmented batches for training, and plain faces for prediction."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.training.data.augment import Augmentation
from emodetect.training.data.labeled import as_input
from emodetect.training.data.part import FloatArray, Part


class AugmentedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches that depend only on the seed and the epoch."""

    def __init__(
        self,
        part: Part,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        backgrounds: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        super().__init__()
        self._part, self._augmentation, self._batch_size = part, augmentation, batch_size
        self._backgrounds = backgrounds
        self._seed = seed
        self.start_at(0)

    def start_at(self, epoch: int) -> None:
        """Continue with the batches of this epoch, counted from 0."""
        self._epoch = epoch
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._part.faces))

    def __len__(self) -> int:
        return len(self._part.faces) // self._batch_size or 1

    def __getitem__(self, index: int) -> tuple[FloatArray, tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        generator = np.random.default_rng((self._seed, self._epoch, index))
        images = self._augmentation.apply(self._part.faces.images[chosen], generator, self._backgrounds)
        return (
            as_input(images),
            tuple(target[chosen] for target in self._part.targets),
            tuple(weight[chosen] for weight in self._part.weights),
        )

    @override
    def on_epoch_end(self) -> None:
        self.start_at(self._epoch + 1)


def predict(model: keras.Model, images: npt.NDArray[np.uint8]) -> list[FloatArray]:
    """Scores of each head: a list of float32 (n, labels).

    Args:
        model: the network.
        images: uint8 (n, 48, 48), gray faces.
    """
    scores = model.predict(as_input(images), batch_size=256, verbose=0)
    return [np.asarray(head) for head in scores] if isinstance(scores, list | tuple) else [np.asarray(scores)]
