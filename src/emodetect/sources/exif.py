"""The orientation in a picture's EXIF data. OpenCV applies it; this tells where it cannot."""

from __future__ import annotations

import re
import struct

_HEADER = re.compile(rb"(?:\A|Exif\0\0|eXIf|EXIF.{4})(II\*\0|MM\0\*)", re.DOTALL)
"""How EXIF data begin: in JPEG and AVIF, in PNG, in WebP, and in TIFF, which is such data."""

_ORIENTATION = 0x0112


def exif_orientation(data: bytes) -> int | None:
    """The number that a picture's EXIF data give for its orientation; None where there is none.

    Args:
        data: the file's content.
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
                number: int = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)[0]
                return number
    except struct.error:  # cut short
        pass
    return None
