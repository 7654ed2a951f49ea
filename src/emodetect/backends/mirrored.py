"""Test-time augmentation: the mean over each crop and its mirror image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import ModelConventions
from emodetect.types import Image


class MirroredBackend(EmotionBackend):
    """Averages the scores of each crop and its mirror image, for twice the time.

    Args:
        backend: the backend; it is loaded, closed and canceled with this one.
    """

    def __init__(self, backend: EmotionBackend) -> None:
        self._backend = backend
        self.name = backend.name

    @override
    def load(self) -> None:
        self._backend.load()
        self._copy_attributes()

    @override
    def set_conventions(self, conventions: ModelConventions) -> None:
        self._backend.set_conventions(conventions)
        self._copy_attributes()

    def _copy_attributes(self) -> None:
        self.name = self._backend.name
        self.uncertain_below = self._backend.uncertain_below
        self.validation_accuracy = self._backend.validation_accuracy
        self.tells_contempt = self._backend.tells_contempt
        self.description = self._backend.description

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return _mean_of_halves(self._backend.classify(_with_mirrored(crops)), len(crops))

    @override
    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return _mean_of_halves(self._backend.classify_eight(_with_mirrored(crops)), len(crops))

    @override
    def close(self) -> None:
        self._backend.close()

    @override
    def cancel(self) -> None:
        self._backend.cancel()


def _with_mirrored(crops: Sequence[Image]) -> list[Image]:
    """Append the mirror images to the crops, as one batch."""
    return [*crops, *(np.ascontiguousarray(crop[:, ::-1]) for crop in crops)]


def _mean_of_halves(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    scores = np.asarray(scores, np.float32)
    if len(scores) != 2 * count:
        raise ValueError(f"expected scores of {2 * count} crops, got {len(scores)}")
    return np.asarray((scores[:count] + scores[count:]) / 2, np.float32)
