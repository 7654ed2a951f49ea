"""How the picture of an AVIF file lies: its ``irot`` and ``imir`` boxes (ISO/IEC 23008-12), which OpenCV leaves to us."""

from __future__ import annotations

from collections.abc import Iterator

from emodetect.media.orientation import Orientation

_TURNS = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF's number for each quarter turn to the left."""

_MIRRORS = {0: 4, 1: 2}
"""EXIF's number for each axis: 0 swaps top and bottom, 1 left and right."""


def is_avif(data: bytes) -> bool:
    """Whether a file of this content is of AVIF's family: one that has boxes for its picture's orientation."""
    return data[4:8] == b"ftyp" and b"avif" in data[8:64]


def stored_orientations(data: bytes) -> list[Orientation] | None:
    """What makes the primary picture of a file upright, one after the other.

    Args:
        data: the file's content.

    Returns:
        A list; None where no such box belongs to the picture.

    Raises:
        ValueError: the file's structure cannot be understood.
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
    """Numbers of an item's properties, from 1, in the order in which they are to be applied."""
    id_size, is_long = 2 if ipma[0] == 0 else 4, ipma[3] & 1
    place = 8
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        number = int.from_bytes(ipma[place : place + id_size], "big")
        count = ipma[place + id_size]
        place += id_size + 1
        size = 2 if is_long else 1
        entries = [int.from_bytes(ipma[place + size * i : place + size * (i + 1)], "big") for i in range(count)]
        place += size * count
        if number == item:  # the highest bit says whether a reader must know the property
            return [number for entry in entries if (number := entry & (0x7FFF if is_long else 0x7F))]
    return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes that follow one another."""
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
