"""EXIF orientation of images. OpenCV applies it; this detects the cases in which it cannot."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator

_HEADERS = (b"II*\0", b"MM\0*")
"""TIFF headers, with which EXIF data begin, in both byte orders."""

_PREFIX = re.compile(rb"\Z|.*(?:Exif\0\0|eXIf|EXIF.{4})\Z", re.DOTALL)
"""What precedes the header: nothing in TIFF; then JPEG and AVIF, PNG, and WebP."""

_MAX_PREFIX = 8
"""Maximum length of a prefix, bytes."""

_ORIENTATION = 0x0112

_FORMS = {1: "B", 4: "I"}
"""Struct format of numbers, by data type; 16 bits for all others, the usual type."""


def exif_orientation(data: bytes) -> tuple[int, int] | None:
    """Orientation in an image's EXIF data; None if there is none.

    Args:
        data: content of the file.

    Returns:
        The orientation, and the one that OpenCV applies, which reads it as a 16-bit number whatever its type.
    """
    start = min(itertools.chain.from_iterable(_headers(data, header) for header in _HEADERS), default=None)
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
    except struct.error:  # truncated
        pass
    return None


def _headers(data: bytes, header: bytes) -> Iterator[int]:
    """Offsets of EXIF data with this header. Searching for the header first is ten times faster than one regex."""
    offset = data.find(header)
    while offset >= 0:
        if _PREFIX.match(data[max(0, offset - _MAX_PREFIX) : offset]):
            yield offset
        offset = data.find(header, offset + 1)
