"""Interface of architectures: the network, its outputs and its training recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras

    from emodetect.training.data.augment import Augmentation


@dataclass(frozen=True)
class Head:
    """One softmax output of a network.

    Attributes:
        name: the output's name.
        labels: of its positions, in order.
        learns: the folder's label, the distribution of FER+ votes, or whether the picture is a face.
    """

    name: str
    labels: tuple[str, ...]
    learns: Literal["label", "votes", "face"] = "label"


@dataclass(frozen=True)
class Architecture:
    """A network with its training recipe.

    Attributes:
        name: as on the command line.
        build: builds the Keras model: input float32 (n, 48, 48, 1) in 0..1, one output per head in this order.
        heads: the outputs. Without votes, those that learn from votes are left out; without negatives, the face output.
        augmentation: of the training faces.
        learning_rate: the highest.
        optimizer: creates it from the highest learning rate and the numbers of steps per epoch and of epochs.
        batch_size: faces per step.
        epochs: default number of passes over the training part.
        label_smoothing: share of a folder label that is spread over all labels.
        averaging: decay per step of the exponential moving average of the weights; 0 keeps the last weights.
    """

    name: str
    build: Callable[[tuple[Head, ...]], keras.Model]
    heads: tuple[Head, ...]
    augmentation: Augmentation
    learning_rate: float
    optimizer: Callable[[float, int, int], keras.optimizers.Optimizer]
    batch_size: int
    epochs: int
    label_smoothing: float = 0.0
    averaging: float = 0.0
