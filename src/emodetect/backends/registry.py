"""Backends by name, imported only when they are chosen.

A package joins by an entry point in the group ``emodetect.backends`` whose object is called like the built-in ones:
``factory(model: str | None, labels: Sequence[str] | None) -> EmotionBackend``. The built-in ones take
`ModelConventions` instead of labels.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from emodetect.backends.conventions import UNSTATED, ModelConventions
from emodetect.errors import BackendUnavailableError, UsageError
from emodetect.suggestions import did_you_mean

if TYPE_CHECKING:  # names are wanted without NumPy, to complete a command line
    from emodetect.backends.base import EmotionBackend

GROUP = "emodetect.backends"

HEADS = ("fer2013", "ferplus")
"""The outputs of the embedded network."""

RESERVED = ("embedded", *HEADS)
"""Names that ``--model`` takes for the embedded network as it is, or one output of it."""

MOST_VIEWS = 2
"""A crop, and the crop mirrored."""

_BUILT_IN = {
    "cnn": "emodetect.backends.cnn:create_cnn",
    "deepface": "emodetect.backends.deepface:create_deepface",
}


def backend_names() -> list[str]:
    """The names that `create_backend` takes: the built-in ones first."""
    return [*_BUILT_IN, *plugins()]


def plugins() -> dict[str, EntryPoint]:
    """The backends of other packages by name, in alphabetical order, not imported; none can replace a built-in one."""
    points = {point.name: point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN}
    return dict(sorted(points.items()))


def is_built_in(name: str) -> bool:
    """Whether a backend of this name comes with emodetect."""
    return name in _BUILT_IN


def create_backend(
    name: str, model: str | None = None, conventions: ModelConventions = UNSTATED, views: int = 1
) -> EmotionBackend:
    """Make a backend; entering it, as a context manager, loads it.

    Args:
        name: one of `backend_names`.
        model: a model file, or a name that the backend knows.
        conventions: what the user says of the model; a plug-in is told the labels alone.
        views: as for `with_views`.

    Raises:
        UsageError: there is no backend of that name, it does not take these options, or `views` is out of range.
        BackendUnavailableError: the backend itself cannot be imported.
        ModelError: there is no such model file.
    """
    factory = backend_factory(name)
    if is_built_in(name):
        return with_views(cast("EmotionBackend", factory(model, conventions)), views)
    if others := [option for option in conventions.given if option != "--labels"]:
        raise UsageError(f"{' and '.join(others)} do not go with --backend {name}: a plug-in reads its model by itself")
    labels = None if conventions.labels is None else list(conventions.labels)
    return with_views(cast("EmotionBackend", factory(model, labels)), views)


def with_views(backend: EmotionBackend, views: int) -> EmotionBackend:
    """Have a backend asked about several views of each crop.

    Args:
        backend: reads the emotions.
        views: 1 for the crop alone; 2 for the mean of the crop and its mirror image.

    Raises:
        UsageError: it is another number.
    """
    if views == 1:
        return backend
    if views != MOST_VIEWS:
        raise UsageError(f"views: {views} is out of range, 1 to {MOST_VIEWS}")
    from emodetect.backends.mirrored import MirroredBackend

    return MirroredBackend(backend)


def backend_factory(name: str) -> Callable[..., object]:
    """Import what makes the backend of this name; `create_backend` says what is raised."""
    if is_built_in(name):
        point = EntryPoint(name, _BUILT_IN[name], GROUP)
    else:
        others = plugins()
        if name not in others:
            raise UsageError(f"no backend {name!r}; there are {', '.join(backend_names())}{did_you_mean(name, backend_names())}")
        point = others[name]
    try:
        factory: Callable[..., object] = point.load()
    except (ImportError, AttributeError) as error:
        raise BackendUnavailableError(f"the backend {name} cannot be imported: {error}") from error
    return factory
