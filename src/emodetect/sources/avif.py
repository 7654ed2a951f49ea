"""Orientation of AVIF images: the boxes ``irot`` and ``imir`` (ISO/IEC 23008-12), which OpenCV ignores."""

from __future__ import annotations

from collections.abc import Iterator

from emodetect.media.orientation import Orientation

_TURNS = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF orientation of each number of counterclockwise quarter turns."""

_MIRRORS = {0: 4, 1: 2}
"""EXIF orientation of each mirror axis: 0 flips vertically, 1 horizontally."""


def is_avif(data: bytes) -> bool:
    """Whether this is a file of the AVIF family, whose boxes may contain an orientation."""
    return data[4:8] == b"ftyp" and b"avif" in data[8:64]


def stored_orientations(data: bytes) -> list[Orientation] | None:
    """Transforms that make a file's primary image upright, in order.

    Args:
        data: content of the file.

    Returns:
        A list; None if the image has no such box.

    Raises:
        ValueError: the file cannot be parsed.
    """
    try:
        return _transforms(data)
    except (IndexError, KeyError) as error:
        raise ValueError("expected boxes as in an AVIF file") from error


def _transforms(data: bytes) -> list[Orientation] | None:
    meta = dict(_boxes(data))[b"meta"]
    parts = dict(_boxes(meta[4:]))
    primary = parts[b"pitm"]
    item = int.from_bytes(primary[4:6] if primary[0] == 0 else primary[4:8], "big")
    properties = dict(_boxes(parts[b"iprp"]))
    known = list(_boxes(properties[b"ipco"]))
    found = []
    for number in _associated(properties[b"ipma"], item):
        kind, content = known[number - 1]
        if kind == b"irot":
            found.append(Orientation.from_exif(_TURNS[content[0] & 3]))
        elif kind == b"imir":
            found.append(Orientation.from_exif(_MIRRORS[content[0] & 1]))
    return found or None


def _associated(ipma: bytes, item: int) -> list[int]:
    """Indices of an item's properties, from 1, in the order of their application."""
    id_size, is_long = 2 if ipma[0] == 0 else 4, ipma[3] & 1
    place = 8
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        number = int.from_bytes(ipma[place : place + id_size], "big")
        count = ipma[place + id_size]
        place += id_size + 1
        size = 2 if is_long else 1
        entries = [int.from_bytes(ipma[place + size * i : place + size * (i + 1)], "big") for i in range(count)]
        place += size * count
        if number == item:  # the highest bit marks essential properties
            return [number for entry in entries if (number := entry & (0x7FFF if is_long else 0x7F))]
    return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of consecutive boxes."""
    place = 0
    while place + 8 <= len(data):
        size, kind, head = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        elif size == 0:
            size = len(data) - place
        if size < head:
            raise ValueError(f"expected a box of at least {head} bytes, got {size}")
        yield kind, data[place + head : place + size]
        place += size
