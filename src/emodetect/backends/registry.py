"""Backends by name, imported only when they are chosen.

A package joins by an entry point in the group ``emodetect.backends`` whose object is called like the built-in ones:
``factory(model: str | None, labels: Sequence[str] | None) -> EmotionBackend``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from emodetect.backends.base import EmotionBackend
from emodetect.errors import BackendUnavailableError, UsageError

BackendFactory = Callable[[str | None, Sequence[str] | None], EmotionBackend]

GROUP = "emodetect.backends"

_BUILT_IN = {
    "cnn": "emodetect.backends.cnn:create_cnn",
    "deepface": "emodetect.backends.deepface:create_deepface",
}


def backend_names() -> list[str]:
    """The names that `create_backend` takes: the built-in ones first."""
    return [*_BUILT_IN, *sorted(point.name for point in entry_points(group=GROUP) if point.name not in _BUILT_IN)]


def is_built_in(name: str) -> bool:
    """Whether a backend of this name comes with emodetect."""
    return name in _BUILT_IN


def create_backend(name: str, model: str | None = None, labels: Sequence[str] | None = None) -> EmotionBackend:
    """Make a backend; entering it, as a context manager, loads it.

    Args:
        name: one of `backend_names`.
        model: a model file, or a name that the backend knows.
        labels: what the model's outputs mean, in order, where the file does not say so itself.

    Raises:
        UsageError: there is no backend of that name, or it does not take these options.
        BackendUnavailableError: the backend itself cannot be imported.
        ModelError: there is no such model file.
    """
    return _factory(name)(model, labels)


def _factory(name: str) -> BackendFactory:
    if is_built_in(name):
        point = EntryPoint(name, _BUILT_IN[name], GROUP)
    else:
        found = list(entry_points(group=GROUP, name=name))
        if not found:
            raise UsageError(f"no backend {name!r}; there are {', '.join(backend_names())}")
        point = found[0]
    try:
        factory: BackendFactory = point.load()
    except (ImportError, AttributeError) as error:
        raise BackendUnavailableError(f"the backend {name} cannot be imported: {error}") from error
    return factory
