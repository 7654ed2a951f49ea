"""Importing Keras, which takes seconds and fails where its backend is missing."""

from __future__ import annotations

import os
from typing import Any

from emodetect.errors import BackendUnavailableError, broken_package, first_line
from emodetect.system.install_hints import KERAS2_CURE, KERAS_CURE, package_cure
from emodetect.system.native_output import quiet_native_output

_RUN_ON = ("tensorflow", "jax", "torch")
"""What Keras trains on, by the names of its backends, which are those of the packages."""


def import_keras() -> Any:
    """Import Keras on the backend that ``KERAS_BACKEND`` names, TensorFlow where it names none.

    Raises:
        BackendUnavailableError: Keras or its backend cannot be imported, or is too old.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Keras 3 does not care, but DeepFace's models, if they are wanted in the same process, need the legacy Keras behind
    # `tf.keras`, and TensorFlow looks at this only once.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        with quiet_native_output():
            import keras

            number = str(keras.__version__)
    except (ImportError, ValueError, AttributeError) as error:
        name = os.environ["KERAS_BACKEND"]
        cure = KERAS_CURE if broken_package(error) == "keras" and name in _RUN_ON else backend_cure(name)
        raise BackendUnavailableError(
            f"Keras cannot be imported with KERAS_BACKEND={name} ({first_line(error)}): {cure}"
        ) from error
    if int(number.partition(".")[0]) < 3:
        raise BackendUnavailableError(f"Keras {number} is too old; 3 is needed: {KERAS_CURE}")
    return keras


def import_keras2() -> Any:
    """Import the legacy Keras 2, which runs on TensorFlow alone.

    Raises:
        BackendUnavailableError: it cannot be imported.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        with quiet_native_output():
            import tf_keras
    except (ImportError, ValueError, AttributeError) as error:
        raise BackendUnavailableError(
            f"Keras 2 (tf_keras), which saved the model, cannot be imported ({first_line(error)}): {KERAS2_CURE}"
        ) from error
    return tf_keras


def backend_cure(name: str) -> str:
    """How to get what ``KERAS_BACKEND`` names."""
    return package_cure(name) if name in _RUN_ON else f"unset KERAS_BACKEND, or set it to one of {', '.join(_RUN_ON)}"
