"""Networks that `emodetect train` can build, by name; each in its own module."""

from __future__ import annotations

from emodetect.errors import UsageError
from emodetect.training.architectures.base import Architecture, Head
from emodetect.training.architectures.compact import COMPACT

ARCHITECTURES: dict[str, Architecture] = {architecture.name: architecture for architecture in (COMPACT,)}


def architecture_named(name: str) -> Architecture:
    """Look an architecture up.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise UsageError(f"no architecture {name!r}; there are {', '.join(ARCHITECTURES)}") from None


__all__ = ["ARCHITECTURES", "Architecture", "Head", "architecture_named"]
