"""The orientation in a picture's EXIF data. OpenCV applies it; this tells where it cannot."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator

_STARTS = (b"II*\0", b"MM\0*")
"""How EXIF data begin, in either order of bytes."""

_BEFORE = re.compile(rb"\Z|.*(?:Exif\0\0|eXIf|EXIF.{4})\Z", re.DOTALL)
"""What stands before them: in TIFF, which is such data, in JPEG and AVIF, in PNG, and in WebP."""

_MOST_BEFORE = 8
"""Bytes of it."""

_ORIENTATION = 0x0112

_FORMS = {1: "B", 4: "I"}
"""How numbers of a type are written, by its number; for all others, as the usual one, with 16 bits."""


def exif_orientation(data: bytes) -> tuple[int, int] | None:
    """The number that a picture's EXIF data give for its orientation; None where there is none.

    Args:
        data: the file's content.

    Returns:
        The number, and what OpenCV takes for it, which reads it as one of 16 bits whatever its type.
    """
    start = min(itertools.chain.from_iterable(_places(data, begin) for begin in _STARTS), default=None)
    if start is None:
        return None
    order = "<" if data[start : start + 1] == b"I" else ">"
    try:
        place = start + struct.unpack_from(f"{order}I", data, start + 4)[0]
        (count,) = struct.unpack_from(f"{order}H", data, place)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, entry)
            if tag == _ORIENTATION:
                number, seen = (struct.unpack_from(f"{order}{form}", data, entry + 8)[0] for form in (_FORMS.get(kind, "H"), "H"))
                return number, seen
    except struct.error:  # cut short
        pass
    return None


def _places(data: bytes, begin: bytes) -> Iterator[int]:
    """Where EXIF data begin. The bytes themselves are found sooner than what may stand before them."""
    place = data.find(begin)
    while place >= 0:
        if _BEFORE.match(data[max(0, place - _MOST_BEFORE) : place]):
            yield place
        place = data.find(begin, place + 1)
