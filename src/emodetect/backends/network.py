"""The interface between a network out of a model file and what reads emotions with it."""

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
"""Sizes of an array by axis; None where the size is open."""


class Network(ABC):
    """A network that is loaded; the shapes are as the file has them.

    Attributes:
        path: the file.
        input_name: its one input.
        input_shape: with the axis of the batch, if it has one.
        input_type: a NumPy type: float32, float16, float64, or a whole number's, which takes pixels as they are.
        outputs: names and shapes; None where the file does not say a shape.
        metadata: what the file says of itself; None where emodetect has written nothing into it.
        class_names: what another program says there of the output's values; empty where none does.
    """

    path: Path
    input_name: str
    input_shape: Shape
    input_type: str
    outputs: dict[str, Shape | None]
    metadata: ModelMetadata | None
    class_names: tuple[str, ...] = ()

    @abstractmethod
    def run(self, batch: npt.NDArray[Any], outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Compute these outputs for a batch of `input_shape` and `input_type`; any exception means that it cannot be run."""

    @abstractmethod
    def own_scaling(self) -> OwnScaling | None:
        """What the network does to its input by itself, before it begins to learn; None for nothing."""

    @abstractmethod
    def activation(self, output: str) -> str | None:
        """The last activation before an output: "softmax", "sigmoid", "linear" or another; None where none is seen."""

    @abstractmethod
    def describe_format(self) -> str:
        """Kind and version of the file, for people."""

    @abstractmethod
    def count_parameters(self) -> int | None:
        """Numbers in the weights; None where that cannot be told."""


def as_scores(values: npt.NDArray[Any], rows: int) -> npt.NDArray[np.float32] | None:
    """The outputs of a batch as float32 (rows, labels): axes of one are dropped; None where that is not their shape."""
    if values.dtype.kind not in "fui":
        return None
    if rows == 1:
        kept = [size for size in values.shape if size != 1]
        return values.reshape(1, -1).astype(np.float32) if len(kept) == 1 else None
    kept = [size for size in values.shape if size != 1]
    return values.reshape(rows, -1).astype(np.float32) if len(kept) == 2 and kept[0] == rows else None
