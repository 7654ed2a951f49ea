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
        labels: labels of the output values, in order.
        learns: the target: the folder's label, the distribution of FER+ votes, or whether the image is a face.
    """

    name: str
    labels: tuple[str, ...]
    learns: Literal["label", "votes", "face"] = "label"


@dataclass(frozen=True)
class Architecture:
    """A network with its training recipe.

    Attributes:
        name: name on the command line.
        build: builds the Keras model: input float32 (n, 48, 48, 1) in 0..1, one output per head in this order.
        heads: the outputs. Without votes, those that learn from votes are dropped; without negatives, the face output.
        augmentation: augmentation of the training faces.
        learning_rate: maximum learning rate.
        optimizer: creates the optimizer from the maximum learning rate and the numbers of steps per epoch and of epochs.
        batch_size: batch size.
        epochs: default number of epochs.
        label_smoothing: label smoothing of folder labels.
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
