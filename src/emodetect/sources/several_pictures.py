"""Detection of files with several pictures, of which a decoder reads the first: animations and documents of several pages."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from emodetect.sources.picture_size import TIFF_HEADERS
from emodetect.system.assumptions import warn_once

_PNG = b"\x89PNG\r\n\x1a\n"

_SUBFILE_TYPE, _REDUCED, _MASK = 254, 1, 4
"""TIFF's tag for the purpose of a picture, and its bits for a thumbnail and a mask."""

_MAX_BLOCKS = 200_000
"""Maximum number of blocks that are searched for a second picture. They take 0.1 s; 50 MB of a GIF."""


def several_pictures(data: bytes | memoryview) -> Literal["frames", "pages"] | None:
    """Whether a file has more than one picture. Thumbnails do not count, nor do the second pictures of cameras (MPO).

    Args:
        data: content of the file.

    Returns:
        "frames" of an animated GIF, PNG, WebP or AVIF; "pages" of a TIFF; None for one picture.
    """
    start = bytes(data[:64])
    try:
        if start.startswith(TIFF_HEADERS):
            return "pages" if _count(kind for kind in _tiff_kinds(data) if not kind & (_REDUCED | _MASK)) > 1 else None
        if start[:6] in (b"GIF87a", b"GIF89a"):
            is_animated = _count(_gif_frames(data)) > 1
        elif start.startswith(_PNG):
            is_animated = any(struct.unpack_from(">L", data, place)[0] > 1 for place in _chunks(data, 8, b"acTL"))
        elif start[8:16] == b"WEBPVP8X":
            is_animated = _count(_chunks(data, 12, b"ANMF")) > 1
        else:
            is_animated = start[4:8] == b"ftyp" and b"avis" in start[8:] and _avif_frames(bytes(data)) > 1
    except (struct.error, IndexError):  # truncated
        return None
    return "frames" if is_animated else None


def is_thumbnail(data: bytes | memoryview) -> bool:
    """Whether the first picture of a TIFF is a reduced version of another one, as in the raw files of cameras.

    Args:
        data: content of the file.
    """
    try:
        return bytes(data[:4]).startswith(TIFF_HEADERS) and bool(next(_tiff_kinds(data), 0) & _REDUCED)
    except struct.error:
        return False


def warn_of_others(path: Path, data: bytes | memoryview) -> None:
    """Warn of the pictures in a file that are not read.

    Args:
        path: the file, for the message.
        data: its content.
    """
    if (kind := several_pictures(data)) is not None:
        others = "; 'emodetect video' analyzes all" if bytes(data[:3]) in (b"GIF", b"\x89PN") else ""
        warn_once(f"{path}: has several {kind}; only the first one is analyzed{others}")
    if is_thumbnail(data):
        warn_once(f"{path}: its first picture, which alone is analyzed, is a thumbnail; export the photo as JPEG")


def _count(found: Iterator[int]) -> int:
    """Number of items, at most 2."""
    return len(list(itertools.islice(found, 2)))


def _tiff_kinds(data: bytes | memoryview) -> Iterator[int]:
    """The purpose of each picture in the chain of directories."""
    order = "<" if data[0] == 0x49 else ">"
    is_big = data[2 if order == "<" else 3] == 0x2B
    link, number, entry, head, value = ("Q", "Q", 20, 8, 12) if is_big else ("L", "H", 12, 2, 8)
    (place,) = struct.unpack_from(order + link, data, 8 if is_big else 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) < _MAX_BLOCKS:
        seen.add(place)
        (count,) = struct.unpack_from(order + number, data, place)
        kind = 0
        for at in range(place + head, place + head + entry * min(count, 4096), entry):
            if struct.unpack_from(order + "H", data, at)[0] == _SUBFILE_TYPE:
                (kind,) = struct.unpack_from(order + "L", data, at + value)
                break
        yield kind
        (place,) = struct.unpack_from(order + link, data, place + head + entry * count)


def _gif_frames(data: bytes | memoryview) -> Iterator[int]:
    """Position of each frame."""

    def table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    place = 13 + table(data[10])
    blocks = iter(range(_MAX_BLOCKS))
    while data[place] in (0x21, 0x2C):
        if data[place] == 0x2C:
            yield place
            place += 11 + table(data[place + 9])
        else:
            place += 2
        while (length := data[place]) and next(blocks, None) is not None:
            place += 1 + length
        if length:
            return
        place += 1


def _chunks(data: bytes | memoryview, place: int, kind: bytes) -> Iterator[int]:
    """Position of the content of each PNG or WebP chunk of a kind."""
    is_png = bytes(data[:1]) == b"\x89"
    for _ in range(_MAX_BLOCKS):
        if place + 8 > len(data):
            return
        length, name = struct.unpack_from(">L4s", data, place) if is_png else struct.unpack_from("<4sL", data, place)[::-1]
        if name == kind:
            yield place + 8
        place += 12 + length if is_png else 8 + length + length % 2


def _avif_frames(data: bytes) -> int:
    """Number of frames of the largest track."""
    found, place = 0, data.find(b"moov")
    while place >= 0 and (place := data.find(b"stsz", place + 4)) >= 0:
        found = max(found, struct.unpack_from(">L", data, place + 12)[0])
    return found
