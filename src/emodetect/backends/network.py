"""Interface of networks loaded from model files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emodetect.backends.metadata import ModelMetadata
from emodetect.backends.own_scaling import OwnScaling

Shape = tuple[int | None, ...]
"""Array shape; None for an unknown size."""


class Network(ABC):
    """A loaded network; shapes are those of the file.

    Attributes:
        path: the file.
        input_name: name of its only input.
        input_shape: shape including the batch axis, if there is one.
        input_type: NumPy type: float32, float16 or float64, or an integer type for unscaled pixels.
        outputs: shapes by output name; None if the file does not state a shape.
        metadata: metadata of emodetect; None if the file has none.
        class_names: names of the output values as written by another program; empty if there are none.
        min_contrast: minimum contrast of its input, as in `FaceInput`.
    """

    path: Path
    input_name: str
    input_shape: Shape
    input_type: str
    outputs: dict[str, Shape | None]
    metadata: ModelMetadata | None
    class_names: tuple[str, ...] = ()
    min_contrast: float = 0.0

    @abstractmethod
    def run(self, batch: npt.NDArray[Any], outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Compute these outputs for a batch of `input_shape` and `input_type`; any exception means that it cannot be run."""

    @abstractmethod
    def own_scaling(self) -> OwnScaling | None:
        """Scaling of the input inside the network, before its first trained layer; None if there is none."""

    @abstractmethod
    def activation(self, output: str) -> str | None:
        """Last activation before an output: "softmax", "sigmoid", "linear" or another; None if it cannot be determined."""

    @abstractmethod
    def describe_format(self) -> str:
        """Format and version of the file, for users."""

    @abstractmethod
    def count_parameters(self) -> int | None:
        """Number of weights; None if it cannot be determined."""


def as_scores(values: npt.NDArray[Any], rows: int) -> npt.NDArray[np.float32] | None:
    """Convert the outputs of a batch to float32 (rows, labels), without axes of size 1; None if the shape does not fit."""
    if values.dtype.kind not in "fui":
        return None
    if rows == 1:
        kept = [size for size in values.shape if size != 1]
        return values.reshape(1, -1).astype(np.float32) if len(kept) == 1 else None
    kept = [size for size in values.shape if size != 1]
    return values.reshape(rows, -1).astype(np.float32) if len(kept) == 2 and kept[0] == rows else None
