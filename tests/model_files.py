"""Real model files for tests, made on the spot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emodetect.sources.images import read_image
from tests.builders import PHOTO


def save_deepface_weights(home: Path, seed: int = 7) -> Path:
    """Write weights for DeepFace's own emotion architecture below a ``DEEPFACE_HOME``.

    Random weights give every face nearly the same scores, so that a wrong color order or scaling would pass. The last layer
    is therefore set so that its logits spread evenly, by two, over different parts of the example photo.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("DEEPFACE_LOG_LEVEL", "50")
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DEEPFACE_HOME"] = str(home)
    from deepface import DeepFace  # noqa: F401  (first: it selects the legacy Keras that its models need)
    from deepface.commons import weight_utils
    from deepface.models.demography import Emotion

    path = home / ".deepface" / "weights" / "facial_expression_model_weights.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)

    def save_instead(model: Any, weight_file: str) -> Any:
        weights = [generator.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape) * (w.ndim > 1) for w in model.get_weights()]
        model.set_weights(weights)
        logits = np.log(model.predict(_patches(), verbose=0))
        logits -= logits.mean(axis=1, keepdims=True)
        scale = 2 / logits.std(axis=0)
        model.layers[-1].set_weights([weights[-2] * scale, -logits.mean(axis=0) * scale])
        model.save_weights(str(path))
        return model

    originals = weight_utils.download_weights_if_necessary, weight_utils.load_model_weights
    weight_utils.download_weights_if_necessary = lambda **_: str(path)
    weight_utils.load_model_weights = save_instead
    try:
        Emotion.load_model()
    finally:
        weight_utils.download_weights_if_necessary, weight_utils.load_model_weights = originals
    return path


def _patches() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Different squares of the example photo, float32 (n, 48, 48, 1) in 0..1."""
    photo = cv2.cvtColor(read_image(PHOTO), cv2.COLOR_BGR2GRAY)
    squares = [photo[y : y + 96, x : x + 96] for y in range(0, 417, 32) for x in range(0, 417, 32)]
    return np.asarray(np.stack([cv2.resize(square, (48, 48)) for square in squares])[..., np.newaxis] / 255, np.float32)


def known_order_model(outputs: int, *, size: int = 48, channels: int = 1, position: int = 0) -> Any:
    """A Keras network whose output at one position rises with the picture's brightness and falls elsewhere.

    A bright face therefore scores highest at ``position``: the label that stands there must come out.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    inputs = keras.Input((size, size, channels))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(outputs, activation="softmax")
    model = keras.Model(inputs, dense(mean))
    kernel = np.full((channels, outputs), -2.0 / channels, np.float32)
    kernel[:, position] = 6.0 / channels
    dense.set_weights([kernel, np.zeros(outputs, np.float32)])
    return model


def tutorial_model(size: int = 48) -> Any:
    """The network of the well-known tutorial, narrowed for speed: Sequential, dropout, softmax over seven."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            layers.Input((size, size, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.1),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(7, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model
