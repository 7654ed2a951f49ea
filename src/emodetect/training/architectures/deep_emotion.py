"""Deep-Emotion, the attentional network of Minaee and Abdolrashidi 2019 (arXiv 1902.01019).

A localization network looks at the face and chooses an affine transform; the face is warped by it, and a branch of four
convolutions of ten filters reads the emotion off what is left in view. 66,977 weights, most of them in the first dense
layers of either part.

The paper gives neither the localization network's sizes nor where normalization stands. The former are those of the
spatial transformer tutorials and reimplementations (7x7 and 5x5, 8 and 10 filters, 32 units); batch normalization after
each convolution and a falling rate are ours: without them ten filters learn slowly.
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
"""Name of the layer whose output is the warped face."""

_FILTERS = 10


def _localize(faces: keras.KerasTensor) -> keras.KerasTensor:
    """What to add to the identity transform, (n, 6); zeros at first."""
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
    """What the spatial transformer makes of uint8 (n, 48, 48) gray faces: float32 (n, 48, 48), 0..1."""
    attention = keras.Model(model.input, model.get_layer(SAMPLER).output)
    return predict(attention, images)[0][..., 0]


def _optimizer(steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    # Independent of the number of epochs, so that a run may be made longer after its end.
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, decay_steps=steps_per_epoch, decay_rate=0.96)
    return keras.optimizers.Adam(rate)


DEEP_EMOTION = Architecture(
    name="deep-emotion",
    build=_build,
    heads=(Head("fer2013", tuple(emotion.value for emotion in EMOTIONS)),),
    augmentation=Augmentation(rotation=10, zoom=(0.9, 1.1), shift=0.05, flip=True),
    optimizer=_optimizer,
    batch_size=32,
    epochs=100,
)
