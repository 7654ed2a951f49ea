"""Detection of frozen sources, as when OpenCV silently fails to convert a stream's pictures."""

from __future__ import annotations

import numpy as np

from emodetect.system.assumptions import warn_once
from emodetect.types import Image

_PICTURES = 20
"""Number of identical pictures for a warning. No two pictures of a camera are identical, because of noise."""


class FrozenWatch:
    """Warns if a source that cannot be probed, a stream or a pipe, begins with many identical pictures.

    Args:
        name: name of the source in the warning.
    """

    def __init__(self, name: str) -> None:
        self._name, self._equal = name, 0
        self._first: Image | None = None

    def update(self, image: Image) -> None:
        """Check the next picture."""
        if self._first is None:
            self._first = image.copy()
        elif 0 <= self._equal < _PICTURES:
            self._equal = self._equal + 1 if np.array_equal(image, self._first) else -1
            if self._equal == _PICTURES:
                why = "if it should move, it may be interlaced, which is read of files only"
                warn_once(f"{self._name}: gives the same picture again and again; {why}")
