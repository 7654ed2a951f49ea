"""Checks of DeepFace's packages and weights, which only the backend ``deepface`` needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from emodetect.backends.deepface_weights import are_weights_damaged, weights_cure, weights_path
from emodetect.doctor.check import Check, Status
from emodetect.system.install_hints import DEEPFACE_CURE, is_installed

_PACKAGES = ("deepface", "tf-keras", "tensorflow")


def check_deepface() -> Iterator[Check]:
    """Whether DeepFace's packages are installed. They are not imported, since that takes seconds."""
    missing = [name for name in _PACKAGES if not is_installed(name)]
    if missing:
        yield Check("DeepFace", Status.WARNING, f"{', '.join(missing)} not installed", DEEPFACE_CURE)
    else:
        yield Check("DeepFace", Status.OK, ", ".join(f"{name} {version(name)}" for name in _PACKAGES))
    yield from check_weights()


def check_weights() -> Iterator[Check]:
    """Whether the weights file exists and is undamaged."""
    path = weights_path()
    try:
        damaged = are_weights_damaged()
    except FileNotFoundError:
        cure = f"the first use downloads them; without a network {weights_cure()}"
        yield Check("DeepFace's weights", Status.WARNING, f"{path} is missing", cure)
    except OSError as error:
        detail = f"{path} cannot be read ({error.strerror or error})"
        yield Check(
            "DeepFace's weights", Status.WARNING, detail, "let your user read it, or name another folder in DEEPFACE_HOME"
        )
    else:
        if damaged:
            yield Check("DeepFace's weights", Status.WARNING, f"{path} is damaged", "delete it and let it be downloaded again")
        else:
            yield Check("DeepFace's weights", Status.OK, str(path))
