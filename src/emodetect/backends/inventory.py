"""Which backends can be used here, and what the others lack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, version

from emodetect.backends.deepface_weights import weights_cure, weights_path
from emodetect.backends.registry import backend_factory, plugins
from emodetect.cures import DEEPFACE_CURE
from emodetect.errors import BackendUnavailableError
from emodetect.quiet import quiet_native_output


@dataclass(frozen=True)
class BackendState:
    """A backend, or a kind of model file that one reads.

    Attributes:
        name: what ``--backend`` takes.
        reads: what it reads the emotions with.
        available: whether it can be used.
        detail: versions, or what is missing.
        cure: how to get what is missing; empty where nothing is.
    """

    name: str
    reads: str
    available: bool
    detail: str
    cure: str = ""


def list_backends() -> Iterator[BackendState]:
    """The built-in backends, then the plug-ins; only these are imported, since nothing else says whether they work."""
    yield _by_packages("cnn", "the embedded network, .onnx files", ("onnxruntime",))
    keras = os.environ.get("KERAS_BACKEND", "tensorflow")
    yield _by_packages("cnn", ".h5 and .keras files", ("keras", keras))
    yield _deepface()
    for name, point in plugins().items():
        yield _plugin(name, point)


def _by_packages(name: str, reads: str, packages: tuple[str, ...], cure: str = "") -> BackendState:
    versions = {package: _version(package) for package in packages}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        return BackendState(name, reads, False, f"{', '.join(missing)} not installed", cure or f"pip install {' '.join(missing)}")
    return BackendState(name, reads, True, ", ".join(f"{package} {found}" for package, found in versions.items()))


def _deepface() -> BackendState:
    packages = ("deepface", "tf-keras", "tensorflow")
    state = _by_packages("deepface", "DeepFace's own model", packages, DEEPFACE_CURE)
    if state.available and not weights_path().is_file():
        cure = f"the first use downloads them; without a network {weights_cure()}"
        return BackendState(state.name, state.reads, False, f"{state.detail}; its weights are missing", cure)
    return state


def _plugin(name: str, point: EntryPoint) -> BackendState:
    origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    try:
        with quiet_native_output():
            backend_factory(name)
    except BackendUnavailableError as error:
        return BackendState(name, f"a plug-in of {origin}", False, str(error), "install what it names, or the plug-in again")
    except Exception as error:  # another project's code may raise anything
        return BackendState(name, f"a plug-in of {origin}", False, f"{type(error).__name__}: {error}", "tell its authors")
    return BackendState(name, f"a plug-in of {origin}", True, point.value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
