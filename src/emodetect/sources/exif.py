"""The orientation in a picture's EXIF data. OpenCV applies it; this tells where it cannot."""

from __future__ import annotations

import re
import struct

_HEADER = re.compile(rb"(?:\A|Exif\0\0|eXIf|EXIF.{4})(II\*\0|MM\0\*)", re.DOTALL)
"""How EXIF data begin: in JPEG and AVIF, in PNG, in WebP, and in TIFF, which is such data."""

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
    except struct.error:  # cut short
        pass
    return None
