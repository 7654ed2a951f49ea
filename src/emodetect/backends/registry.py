"""Registry of backends, which are imported only when they are chosen.

A package adds one by an entry point in the group ``emodetect.backends``. Its object has the signature
``factory(model: str | None, labels: Sequence[str] | None) -> EmotionBackend``. The factories of built-in backends take
`ModelConventions` instead of labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from emodetect.backends.conventions import UNSTATED, ModelConventions, quoted
from emodetect.backends.limits import CALL_SECONDS, LOAD_SECONDS, MAX_MODEL_MEMORY, check_memory
from emodetect.backends.worker import Bounds
from emodetect.errors import BackendUnavailableError, ModelError, UsageError, about
from emodetect.text.numbers import check_number
from emodetect.text.suggestions import did_you_mean

if TYPE_CHECKING:  # shell completion needs the names without importing NumPy
    from emodetect.backends.base import EmotionBackend

GROUP = "emodetect.backends"

HEADS = ("fer2013", "ferplus")
"""Outputs of the embedded network."""

RESERVED = ("embedded", *HEADS)
"""Model names of the embedded network, or of one of its outputs."""

MAX_VIEWS = 2
"""Maximum number of views: a crop and its mirror image."""

_BUILT_IN = {
    "cnn": "emodetect.backends.cnn:create_cnn",
    "deepface": "emodetect.backends.deepface:create_deepface",
}


@dataclass(frozen=True)
class BackendSettings:
    """Settings of a backend.

    Attributes:
        name: one of `backend_names`.
        model: a model file, or a name that the backend knows; None for its default.
        conventions: conventions of the model stated by the user; a plug-in gets only the labels.
        views: as for `with_views`.
        max_model_memory: memory limit of a model file's process, bytes.

    Raises:
        UsageError: a setting has the wrong type or is out of range.
    """

    name: str = "cnn"
    model: str | None = None
    conventions: ModelConventions = UNSTATED
    views: int = 1
    max_model_memory: int = MAX_MODEL_MEMORY

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise UsageError(f"backend: expected a name, got {self.name!r}", parameter="backend")
        if not isinstance(self.model, str | None):
            raise UsageError(f"model: expected a name or a file, got {self.model!r}", parameter="model")
        check_number("views", self.views, 1, MAX_VIEWS, whole=True)
        check_memory(self.max_model_memory)

    @property
    def title(self) -> str:
        """Display name: that of the model, or of the backend."""
        return self.model or ("embedded" if self.name == "cnn" else self.name)

    def create(self, *, responsive: bool = False) -> EmotionBackend:
        """Create the backend, as `create_backend`."""
        return create_backend(**vars(self), responsive=responsive)


def backend_names() -> list[str]:
    """Names of all backends for `create_backend`, the built-in ones first."""
    return [*_BUILT_IN, *plugins()]


def plugins() -> dict[str, EntryPoint]:
    """Entry points of plug-in backends by name, sorted and not imported; built-in names cannot be replaced."""
    points = {point.name: point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN}
    return dict(sorted(points.items()))


def is_built_in(name: str) -> bool:
    """Whether this is the name of a built-in backend."""
    return name in _BUILT_IN


def create_backend(
    name: str,
    model: str | None = BackendSettings.model,
    conventions: ModelConventions = BackendSettings.conventions,
    views: int = BackendSettings.views,
    *,
    max_model_memory: int = BackendSettings.max_model_memory,
    responsive: bool = False,
) -> EmotionBackend:
    """Create a backend; entering it as a context manager loads it.

    The embedded network runs in this process, a foreign model in a sandboxed process, and a plug-in in a separate process, which
    alone imports it. Invalid options of a plug-in are therefore reported only when it is loaded.

    Args:
        name: one of `backend_names`.
        model: a model file, or a name that the backend knows.
        conventions: conventions of the model stated by the user; a plug-in gets only the labels.
        views: as for `with_views`.
        max_model_memory: memory limit of a model file's process, bytes.
        responsive: run backends that hold the global interpreter lock, such as TensorFlow while it is imported, in a separate
            process. ONNX Runtime, and so the embedded network, releases the lock.

    Raises:
        UsageError: the backend is unknown or does not support these options, or `views` is out of range.
        BackendUnavailableError: the backend cannot be imported.
        ModelError: the model file does not exist.
    """
    check_memory(max_model_memory)
    if is_built_in(name):
        with about("model", ModelError):
            made = cast("EmotionBackend", backend_factory(name)(model, conventions))
        if name == "cnn" and model is not None and model not in RESERVED:
            path = Path(model)
            bounds = Bounds(max_model_memory, LOAD_SECONDS[path.suffix.lower()], CALL_SECONDS)
            made = _isolated(made.name, _BUILT_IN[name], (model, conventions), model=path, bounds=bounds)
        elif name == "deepface" and responsive:
            made = _isolated(made.name, _BUILT_IN[name], (model, conventions))
        return with_views(made, views)
    point = _plugin(name)
    if others := [part for part in conventions.given if part != "labels"]:
        hint = f"{quoted(others)} cannot be combined with `backend` {name}"
        raise UsageError("a plug-in reads its model by itself", parameter=others[0], hint=hint)
    labels = None if conventions.labels is None else list(conventions.labels)
    return with_views(_isolated(name, point.value, (model, labels)), views)


def with_views(backend: EmotionBackend, views: int) -> EmotionBackend:
    """Add test-time augmentation to a backend.

    Args:
        backend: the backend.
        views: 1 for the crop alone; 2 for the mean of the crop and its mirror image.

    Raises:
        UsageError: ``views`` is another number.
    """
    if views == 1:
        return backend
    if views != MAX_VIEWS:
        raise UsageError(f"views: {views} is out of range, 1 to {MAX_VIEWS}")
    from emodetect.backends.mirrored import MirroredBackend

    return MirroredBackend(backend)


def _isolated(*arguments: Any, **named: Any) -> EmotionBackend:
    from emodetect.backends.isolated import IsolatedBackend

    return IsolatedBackend(*arguments, **named)


def _plugin(name: str) -> EntryPoint:
    others = plugins()
    if name not in others:
        known = backend_names()
        raise UsageError(f"no backend {name!r}; there are {', '.join(known)}{did_you_mean(name, known)}", parameter="backend")
    return others[name]


def backend_factory(name: str) -> Callable[..., object]:
    """Import the factory of a backend; raises as `create_backend`."""
    point = EntryPoint(name, _BUILT_IN[name], GROUP) if is_built_in(name) else _plugin(name)
    try:
        factory: Callable[..., object] = point.load()
    except (ImportError, AttributeError) as error:
        raise BackendUnavailableError(f"the backend {name} cannot be imported: {error}") from error
    return factory
