"""What an architecture consists of: the network, its outputs and how it is trained."""

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
        labels: what its positions mean, in order.
        learns: the folder's label, the distribution of FER+ votes, or whether the picture is a face at all.
    """

    name: str
    labels: tuple[str, ...]
    learns: Literal["label", "votes", "face"] = "label"


@dataclass(frozen=True)
class Architecture:
    """A network with the recipe that it is trained by.

    Attributes:
        name: what the command line calls it.
        build: makes the Keras model, input float32 (n, 48, 48, 1) in 0..1, one output a head in this order.
        heads: the outputs; one that learns from votes is left out when there are none, and so is one that tells faces where there
            are no negatives.
        augmentation: how training faces are changed.
        optimizer: from the number of steps an epoch and of epochs.
        batch_size: faces a step.
        epochs: passes over the training part, where nobody asks for another number.
        label_smoothing: share of a folder label that is spread over all labels.
        averaging: decay a step of the exponential moving average of the weights; 0 keeps the last weights.
    """

    name: str
    build: Callable[[tuple[Head, ...]], keras.Model]
    heads: tuple[Head, ...]
    augmentation: Augmentation
    optimizer: Callable[[int, int], keras.optimizers.Optimizer]
    batch_size: int
    epochs: int
    label_smoothing: float = 0.0
    averaging: float = 0.0
