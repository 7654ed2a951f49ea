"""The allocator of the C library."""

from __future__ import annotations

import contextlib
import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, by their numbers in glibc."""

_MAX_KEPT = 256 * 2**20
"""Maximum of freed memory that is kept, bytes; several decoded photos of 8 megapixels."""

_MAX_BLOCK = 32 * 2**20
"""Size from which a block is returned as soon as it is freed, bytes; the largest that glibc accepts."""


def keep_freed_memory() -> None:
    """Keep freed memory for the next photo, with glibc. Fresh pages for each one would take a tenth of its time."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_THRESHOLD, _MAX_BLOCK)
            library.mallopt(_TRIM_THRESHOLD, _MAX_KEPT)
