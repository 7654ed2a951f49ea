"""The network of the common FER-2013 tutorial: four convolutions and a dense layer, 2,489,095 weights.

The tutorial's script can load its file: one input (n, 48, 48, 1) in 0..1, one softmax over the seven labels in alphabetical
order. The recipe is the tutorial's with one change: since the learning rate is constant, the weights keep fluctuating, so their
moving average is validated and kept.
"""

from __future__ import annotations

import keras
from keras import layers

from emodetect.backends.labels import TUTORIAL_LABELS
from emodetect.training.architectures.base import Architecture, Head
from emodetect.training.data.augment import TUTORIAL
from emodetect.training.data.labeled import FACE_SIZE


def _build(heads: tuple[Head, ...]) -> keras.Model:
    (head,) = heads
    return keras.Sequential(
        [
            keras.Input((FACE_SIZE, FACE_SIZE, 1), name="faces"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.1),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.1),
            layers.Conv2D(256, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.1),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(len(head.labels), activation="softmax", dtype="float32", name=head.name),
        ],
        name="baseline",
    )


BASELINE = Architecture(
    name="baseline",
    build=_build,
    heads=(Head("fer2013", TUTORIAL_LABELS),),
    augmentation=TUTORIAL,
    learning_rate=1e-3,
    optimizer=lambda rate, steps_per_epoch, epochs: keras.optimizers.Adam(rate),
    batch_size=32,
    epochs=50,
    averaging=0.999,
)
