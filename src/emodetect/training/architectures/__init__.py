"""Registry of the architectures of `emodetect train`; each has its own module, imported when it is chosen."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from emodetect.errors import UsageError, first_line
from emodetect.training.architectures.base import Architecture, Head

if TYPE_CHECKING:
    import keras

GROUP = "emodetect.architectures"
"""Entry point group of packages with architectures."""

_MODULES = {
    "baseline": "emodetect.training.architectures.baseline:BASELINE",
    "deep-emotion": "emodetect.training.architectures.deep_emotion:DEEP_EMOTION",
    "compact": "emodetect.training.architectures.compact:COMPACT",
    "compact-deep": "emodetect.training.architectures.compact:COMPACT_DEEP",
}

ARCHITECTURE_NAMES = tuple(_MODULES)
"""Names of the built-in architectures."""

_OWN = re.compile(r"[\w.]+:[\w.]+")

_allowed: set[str] = set()


def is_architecture_name(name: str) -> bool:
    """Whether an architecture of this name may exist; the user's own code, ``module:function``, is not checked."""
    return name in _MODULES or _OWN.fullmatch(name) is not None or name in _plugins()


def allow_own_code(name: str) -> None:
    """Allow `architecture_named` to import ``module:function``, also from the current folder, since the user has named it.

    The settings of a run are no permission, since they may come from anybody.
    """
    _allowed.add(name)


def architecture_named(name: str) -> Architecture:
    """Look up an architecture; imports Keras.

    Args:
        name: one of `ARCHITECTURE_NAMES`, of an entry point, or ``module:function`` if `allow_own_code` has allowed it. Such a
            function is called without arguments and returns a Keras model, which is trained as `baseline` is.

    Raises:
        UsageError: the architecture is unknown, may not be imported, or is invalid.
    """
    if name in _MODULES:
        module, _, attribute = _MODULES[name].partition(":")
        architecture: Architecture = getattr(importlib.import_module(module), attribute)
        return architecture
    if point := _plugins().get(name):
        return _load(name, point)
    if not _OWN.fullmatch(name):
        known = ", ".join((*ARCHITECTURE_NAMES, *_plugins()))
        raise UsageError(f"no architecture {name!r}; there are {known}, or MODULE:FUNCTION of your own", parameter="architecture")
    if name not in _allowed:
        raise UsageError(
            f"the network {name} is code of its own, which runs only if you name it", parameter="architecture",
            hint="name it with `architecture`, or use the run's best.keras",
        )  # fmt: skip
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return _load(name, EntryPoint(name, name, GROUP))


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _MODULES}


def _load(name: str, point: EntryPoint) -> Architecture:
    try:
        made: Any = point.load()
    except Exception as error:  # the user's code may raise anything
        problem = f"the architecture {name} cannot be imported ({type(error).__name__}: {first_line(error)})"
        raise UsageError(problem, parameter="architecture") from error
    if isinstance(made, Architecture):
        return dataclasses.replace(made, name=name)
    if not callable(made):
        raise UsageError(f"the architecture {name} is neither a function nor an Architecture", parameter="architecture")
    from emodetect.training.architectures.baseline import BASELINE

    return dataclasses.replace(BASELINE, name=name, build=lambda heads: _build(name, made, heads))


def _build(name: str, make: Callable[[], Any], heads: tuple[Head, ...]) -> keras.Model:
    import keras

    from emodetect.training.data.labeled import FACE_SIZE

    try:
        model = make()
    except Exception as error:  # the user's code may raise anything
        raise UsageError(f"the architecture {name} fails ({type(error).__name__}: {first_line(error)})") from error
    takes, gives = (None, FACE_SIZE, FACE_SIZE, 1), [(None, len(head.labels)) for head in heads]
    is_model = isinstance(model, keras.Model) and model.built
    found = ([tuple(part.shape) for part in model.inputs], [tuple(part.shape) for part in model.outputs]) if is_model else None
    if found != ([takes], gives):
        wanted = f"a Keras model from {takes} to {gives[0]}, a softmax over {', '.join(heads[0].labels)}"
        raise UsageError(f"the architecture {name}: expected {wanted}; got {found or type(model).__name__}")
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.softmax or not last.use_bias:
        raise UsageError(
            f"the architecture {name}: expected a layer Dense({len(heads[0].labels)}, activation='softmax') at the end"
        )
    last.name = heads[0].name  # calibration finds the layer by this name
    return model


__all__ = [
    "ARCHITECTURE_NAMES",
    "Architecture",
    "Head",
    "allow_own_code",
    "architecture_named",
    "is_architecture_name",
]
