"""Lazy import of Keras, which takes seconds and fails if its backend is missing."""

from __future__ import annotations

import os
from typing import Any

from emodetect.errors import BackendUnavailableError, broken_package, first_line
from emodetect.system.install_hints import KERAS2_CURE, KERAS_CURE, is_installed, package_cure
from emodetect.system.native_output import quiet_native_output
from emodetect.system.quick_import import quick_import

_UNNEEDED = ("matplotlib", "pandas", "sklearn")
"""Packages that Keras imports for galleries of images, tables as training data, and its wrappers for scikit-learn."""

_KERAS_BACKENDS = ("tensorflow", "jax", "torch")
"""Backends of Keras that can train; also the names of their packages."""


def import_keras() -> Any:
    """Import Keras with the backend in ``KERAS_BACKEND``, by default TensorFlow.

    Raises:
        BackendUnavailableError: Keras or its backend cannot be imported, or is too old.
    """
    os.environ["KERAS_BACKEND"] = name = backend_name()
    # Keras 3 ignores this. DeepFace's models in the same process need the legacy Keras behind `tf.keras`, and TensorFlow reads
    # the variable only once.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        with quiet_native_output(), quick_import(*_UNNEEDED):
            import keras

            number = str(keras.__version__)
    except (ImportError, ValueError, AttributeError) as error:
        cure = keras_cure() if broken_package(error) == "keras" and name in _KERAS_BACKENDS else backend_cure(name)
        raise BackendUnavailableError(
            f"Keras cannot be imported with KERAS_BACKEND={name} ({first_line(error)}): {cure}"
        ) from error
    if int(number.partition(".")[0]) < 3:
        raise BackendUnavailableError(f"Keras {number} is too old; 3 is needed: {KERAS_CURE}")
    return keras


def import_keras2() -> Any:
    """Import the legacy Keras 2, which runs on TensorFlow only.

    Raises:
        BackendUnavailableError: Keras 2 cannot be imported.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        with quiet_native_output(), quick_import(*_UNNEEDED, "scipy"):  # which only its random rotations need
            import tf_keras
    except (ImportError, ValueError, AttributeError) as error:
        raise BackendUnavailableError(
            f"Keras 2 (tf_keras), which saved the model, cannot be imported ({first_line(error)}): {KERAS2_CURE}"
        ) from error
    return tf_keras


def backend_name() -> str:
    """Name of the backend of Keras, which is also the name of its package."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def keras_cure() -> str:
    """Command that installs Keras, and its backend if that is missing as well."""
    backend = backend_name()
    return KERAS_CURE if is_installed(backend) or backend not in _KERAS_BACKENDS else f"{KERAS_CURE} && {backend_cure(backend)}"


def backend_cure(name: str) -> str:
    """Hint for installing a backend of Keras."""
    if name in _KERAS_BACKENDS:
        return package_cure(name)
    return f"unset KERAS_BACKEND, or set it to one of {', '.join(_KERAS_BACKENDS)}"
