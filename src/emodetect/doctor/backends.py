"""Available backends, and what the others need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

from typing_extensions import Never

from emodetect.backends.registry import backend_factory, plugins
from emodetect.doctor import Check, Status, collect_checks, deepface, files, keras, onnx_runtime, opencv
from emodetect.errors import BackendError, BackendUnavailableError, EmodetectError
from emodetect.system.native_output import quiet_native_output

if TYPE_CHECKING:  # the list must work with a broken NumPy
    from emodetect.backends.base import EmotionBackend
    from emodetect.types import Image


@dataclass(frozen=True)
class BackendState:
    """A backend, or a kind of model file that it reads.

    Attributes:
        name: as for `create_backend`.
        reads: its models.
        available: whether it can be used.
        detail: versions, or what is missing.
        cure: how to install what is missing; empty if nothing is.
    """

    name: str
    reads: str
    available: bool
    detail: str
    cure: str = ""


def list_backends() -> Iterator[BackendState]:
    """Yield the built-in backends, according to the doctor's checks, then the plug-ins, which are imported as a test."""
    yield _state("cnn", "the embedded network", onnx_runtime.check_runtime, opencv.check_import, files.check_network)
    yield _state("cnn", ".onnx files", onnx_runtime.check_onnx, onnx_runtime.check_runtime, opencv.check_import)
    yield _state("cnn", ".h5 and .keras files", keras.check_keras, opencv.check_import)
    yield _state("deepface", "DeepFace's own model", deepface.check_deepface, opencv.check_import)
    for name, point in plugins().items():
        yield _plugin(name, point)


def _state(name: str, reads: str, *checks: Callable[[], Iterator[Check]]) -> BackendState:
    """State of a backend according to these checks; the first one gives the versions."""
    results = [result for check in checks for result in collect_checks(name, check)]
    wrong = [result for result in results if result.status is not Status.OK]
    if not wrong:
        return BackendState(name, reads, True, results[0].detail)
    return BackendState(name, reads, False, "; ".join(result.detail for result in wrong), wrong[0].cure)


def _plugin(name: str, point: EntryPoint) -> BackendState:
    origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    try:
        from emodetect.backends.isolated import IsolatedBackend

        # In a separate process, since code of another project may raise anything, or end the process.
        with IsolatedBackend(name, f"{__name__}:import_plugin", (name,)):
            pass
    except BackendUnavailableError as error:
        return BackendState(name, f"a plug-in of {origin}", False, str(error), "install what it names, or the plug-in again")
    except Exception as error:
        return BackendState(name, f"a plug-in of {origin}", False, str(error), "tell its authors")
    return BackendState(name, f"a plug-in of {origin}", True, point.value)


def import_plugin(name: str) -> EmotionBackend:
    """Import the factory of a plug-in's backend without calling it.

    Raises:
        BackendUnavailableError: a package or the factory is missing.
        BackendError: importing it fails otherwise.
    """
    from emodetect.backends.base import EmotionBackend

    with quiet_native_output():
        try:
            backend_factory(name)
        except EmodetectError:
            raise
        except Exception as error:
            raise BackendError(f"{type(error).__name__}: {error}") from error

    class Imported(EmotionBackend):
        def classify(self, crops: Sequence[Image]) -> Never:
            raise NotImplementedError

    imported = Imported()
    imported.name = name
    return imported
