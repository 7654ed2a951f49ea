"""Deep-Emotion, the attentional network of Minaee and Abdolrashidi 2019 (arXiv 1902.01019).

A localization network predicts an affine transform from the face. The face is warped by it, and a branch of four convolutions
with ten filters classifies the result. 66,977 weights, most of them in the first dense layers of both parts.

The paper gives neither the sizes of the localization network nor the positions of normalization. The sizes are those of spatial
transformer tutorials and reimplementations (7x7 and 5x5, 8 and 10 filters, 32 units). Batch normalization after each convolution
and a decreasing learning rate are our additions: without them, ten filters learn slowly.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from emodetect.backends.keras_layers import AffineSampler
from emodetect.training.architectures.base import Architecture, Head
from emodetect.training.data.augment import Augmentation
from emodetect.training.data.batches import predict
from emodetect.training.data.labeled import FACE_SIZE
from emodetect.types import EMOTIONS

SAMPLER = "attention"
"""Name of the layer that outputs the warped face."""

_FILTERS = 10


def _localize(faces: keras.KerasTensor) -> keras.KerasTensor:
    """Difference from the identity transform, (n, 6); initially zeros."""
    x = faces
    for filters, size in ((8, 7), (10, 5)):
        x = layers.Conv2D(filters, size)(x)
        x = layers.ReLU()(layers.MaxPooling2D(2)(x))
    x = layers.Dense(32, activation="relu", name="localisation")(layers.Flatten()(x))
    return layers.Dense(6, kernel_initializer="zeros", name="transform")(x)


def _convolution(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Conv2D(_FILTERS, 3, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _build(heads: tuple[Head, ...]) -> keras.Model:
    (head,) = heads
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), name="faces")
    x = AffineSampler(name=SAMPLER)([faces, _localize(faces)])
    for _ in range(2):
        x = layers.MaxPooling2D(2)(_convolution(_convolution(x)))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(50, activation="relu")(x)
    scores = layers.Dense(len(head.labels), activation="softmax", dtype="float32", name=head.name)(x)
    return keras.Model(faces, scores, name="deep-emotion")


def warped_faces(model: keras.Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Output of the spatial transformer.

    Args:
        model: the network.
        images: uint8 (n, 48, 48), gray faces.

    Returns:
        float32 (n, 48, 48), 0..1.
    """
    attention = keras.Model(model.input, model.get_layer(SAMPLER).output)
    return predict(attention, images)[0][..., 0]


def _optimizer(rate: float, steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    # Independent of the number of epochs, so that a finished run can be extended.
    schedule = keras.optimizers.schedules.ExponentialDecay(rate, decay_steps=steps_per_epoch, decay_rate=0.96)
    return keras.optimizers.Adam(schedule)


DEEP_EMOTION = Architecture(
    name="deep-emotion",
    build=_build,
    heads=(Head("fer2013", tuple(emotion.value for emotion in EMOTIONS)),),
    augmentation=Augmentation(rotation=10, zoom=(0.9, 1.1), shift=0.05, flip=True),
    learning_rate=1e-3,
    optimizer=_optimizer,
    batch_size=32,
    epochs=100,
)
