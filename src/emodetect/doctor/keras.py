"""Checks of Keras, which training and models in .h5 and .keras files need."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec

from emodetect.backends.keras_import import backend_cure, backend_name, keras_cure
from emodetect.doctor.check import Check, Status
from emodetect.system.install_hints import KERAS2_CURE, KERAS_CURE, is_installed, package_cure


def check_keras2() -> Iterator[Check]:
    """Whether Keras 2 (tf-keras), which reads model files that it saved, is installed. It is not imported."""
    if not is_installed("tf-keras"):
        yield Check("Keras 2", Status.WARNING, "tf-keras not installed; models that Keras 2 saved need it", KERAS2_CURE)
    elif not find_spec("tf_keras"):
        yield Check("Keras 2", Status.FAULT, "tf-keras is broken", package_cure("tf_keras"))
    else:
        yield Check("Keras 2", Status.OK, f"tf-keras {version('tf-keras')}")


def check_keras() -> Iterator[Check]:
    """The version of Keras, and whether its backend is installed. Neither is imported, since that takes seconds."""
    backend = backend_name()
    if not is_installed("keras"):
        yield Check("Keras", Status.WARNING, "keras not installed; training and .h5 and .keras models need it", keras_cure())
    elif not find_spec("keras"):
        yield Check("Keras", Status.FAULT, "keras is broken", package_cure("keras"))
    elif int(version("keras").partition(".")[0]) < 3:
        yield Check("Keras", Status.FAULT, f"keras {version('keras')} is too old; 3 is needed", KERAS_CURE)
    elif not is_installed(backend):
        yield Check("Keras", Status.FAULT, f"{backend} not installed, which KERAS_BACKEND names", backend_cure(backend))
    elif not find_spec(backend):
        yield Check("Keras", Status.FAULT, f"{backend} is broken", backend_cure(backend))
    else:
        yield Check("Keras", Status.OK, f"keras {version('keras')}, {backend} {version(backend)}")
