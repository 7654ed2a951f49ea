"""EXIF orientation of images. OpenCV applies it; this detects the cases in which it cannot."""

from __future__ import annotations

import re
import struct

_HEADER = re.compile(rb"(?:\A|Exif\0\0|eXIf|EXIF.{4})(II\*\0|MM\0\*)", re.DOTALL)
"""Start of the EXIF data: in JPEG and AVIF, PNG, WebP, and TIFF, whose header it is."""

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
    if not (header := _HEADER.search(data)):
        return None
    start = header.start(1)
    order = "<" if header[1].startswith(b"I") else ">"
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
