"""Architectures of `emodetect train` by name; each in its own module, imported when it is chosen."""

from __future__ import annotations

import importlib

from emodetect.errors import UsageError
from emodetect.training.architectures.base import Architecture, Head

_WHERE = {
    "baseline": "emodetect.training.architectures.baseline:BASELINE",
    "deep-emotion": "emodetect.training.architectures.deep_emotion:DEEP_EMOTION",
    "compact": "emodetect.training.architectures.compact:COMPACT",
    "compact-deep": "emodetect.training.architectures.compact:COMPACT_DEEP",
}

ARCHITECTURE_NAMES = tuple(_WHERE)


def architecture_named(name: str) -> Architecture:
    """Look up an architecture; imports Keras.

    Raises:
        UsageError: there is no architecture of that name.
    """
    try:
        module, _, attribute = _WHERE[name].partition(":")
    except KeyError:
        raise UsageError(f"no architecture {name!r}; there are {', '.join(ARCHITECTURE_NAMES)}") from None
    architecture: Architecture = getattr(importlib.import_module(module), attribute)
    return architecture


__all__ = ["ARCHITECTURE_NAMES", "Architecture", "Head", "architecture_named"]
