"""Pictures that never change, as where OpenCV cannot convert those of a stream, which it does not tell."""

from __future__ import annotations

import numpy as np

from emodetect.system.assumptions import warn_once
from emodetect.types import Image

_PICTURES = 20
"""How many equal pictures are told. Cameras send noise, so that no two of theirs are equal."""


class FrozenWatch:
    """Warns where a source that cannot be looked at beforehand, a stream or a pipe, begins with the same picture again and again.

    Args:
        name: what to call the source.
    """

    def __init__(self, name: str) -> None:
        self._name, self._equal = name, 0
        self._first: Image | None = None

    def see(self, image: Image) -> None:
        """Look at the next picture."""
        if self._first is None:
            self._first = image.copy()
        elif 0 <= self._equal < _PICTURES:
            self._equal = self._equal + 1 if np.array_equal(image, self._first) else -1
            if self._equal == _PICTURES:
                why = "if it should move, it may be interlaced, which is read of files only"
                warn_once(f"{self._name}: gives the same picture again and again; {why}")
