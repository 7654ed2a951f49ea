"""Importing Keras, which takes seconds and fails where its backend is missing."""

from __future__ import annotations

import os
from typing import Any

from emodetect.errors import BackendUnavailableError, first_line
from emodetect.quiet import quiet_native_output


def import_keras() -> Any:
    """Import Keras on the backend that ``KERAS_BACKEND`` names, TensorFlow where it names none.

    Raises:
        BackendUnavailableError: Keras or its backend cannot be imported.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Keras 3 does not care, but DeepFace's models, if they are wanted in the same process, need the legacy Keras behind
    # `tf.keras`, and TensorFlow looks at this only once.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        with quiet_native_output():
            import keras
    except (ImportError, ValueError) as error:
        name = os.environ["KERAS_BACKEND"]
        raise BackendUnavailableError(
            f"Keras cannot be imported with KERAS_BACKEND={name} ({first_line(error)}); "
            f"pip install {name}, or choose another backend"
        ) from error
    return keras
