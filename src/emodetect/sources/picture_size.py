"""Memory that an image takes once decoded, from its header.

OpenCV limits the number of pixels (see `emodetect.media.pixel_limit`). Here their depth counts as well: a 16-bit pixel with four
channels takes eight bytes.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

TIFF_HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Beginnings of a TIFF, in both byte orders; the last two are BigTIFF."""

_TIFF_TYPES = {1: "B", 3: "H", 4: "L", 16: "Q"}
"""Struct format of the numbers in a TIFF directory, by data type."""

_NUMBERS = re.compile(rb"(?:\s|#[^\n]*\n)*(\d{1,10})")
_HDR_SIZE = re.compile(rb"\n[-+]([XY]) (\d{1,10}) [-+][XY] (\d{1,10})\s*\n")
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Marker after the data of a JPEG scan."""


_MAX_HEADER_BYTES = 2**20
"""Maximum size of a text header, which may contain comments, bytes."""


class DecodedSize(NamedTuple):
    """Decoded size, from the header.

    Attributes:
        width: pixels.
        height: pixels.
        pixel_bytes: memory per pixel in the decoder, bytes.
    """

    width: int
    height: int
    pixel_bytes: int

    @property
    def total(self) -> int:
        """Size of the decoded image, bytes."""
        return self.width * self.height * self.pixel_bytes


def decoded_size(data: bytes | memoryview) -> DecodedSize | None:
    """Parse the decoded size from an image's header; None if the format has at most four bytes per pixel, or the file is damaged.

    Args:
        data: content of the file.
    """
    start = bytes(data[:64])
    try:
        if start.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(start)
        if start.startswith(TIFF_HEADERS):
            return _tiff(data)
        if start[:4] == b"\xff\x4f\xff\x51" or start[4:8] == b"jP  ":
            return _jpeg_2000(data)
        if start[4:8] == b"ftyp":
            return _avif(data)
        if start.startswith((b"#?RADIANCE", b"#?RGBE")):
            return _radiance(data)
        if re.match(rb"P[1-7Ff]\s", start):
            return _portable(bytes(data[:_MAX_HEADER_BYTES]))
        if start.startswith(b"\x76\x2f\x31\x01"):
            return _openexr(bytes(data[:_MAX_HEADER_BYTES]))
    except (struct.error, LookupError, ValueError):
        pass
    return None


def jpeg_scans(data: bytes | memoryview) -> int:
    """Number of scans of a JPEG, each of which covers the whole image; 0 for other formats.

    A scan of a few bytes can cover 200 million pixels, and a file can contain thousands of scans. Baseline images may have
    several as well, one per color component.
    """
    if bytes(data[:2]) != b"\xff\xd8":
        return 0
    place, scans = 2, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker == 0xD9:
            break
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]
        if marker == 0xDA:
            scans += 1
            end = _SCAN_END.search(data, place)
            if end is None:
                break
            place = end.start()
    return scans


def is_animated(data: bytes) -> bool:
    """Whether a PNG or WebP file is animated, according to its header."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"acTL" in data[: max(0, data.find(b"IDAT"))]
    return data[8:16] == b"WEBPVP8X" and len(data) > 20 and bool(data[20] & 2)


def _png(start: bytes) -> DecodedSize:
    width, height, depth, color = struct.unpack_from(">LLBB", start, 16)
    channels = 4 if color in (4, 6) else 3
    return DecodedSize(width, height, channels * (2 if depth == 16 else 1))


def _tiff(data: bytes | memoryview) -> DecodedSize | None:
    """Size of the first image. Values that do not fit into the directory are stored elsewhere in the file."""
    order = "<" if data[0] == 0x49 else ">"
    is_big = bytes(data[2:4]).strip(b"\0") == b"+"
    offset = struct.unpack_from(order + ("Q" if is_big else "L"), data, 8 if is_big else 4)[0]
    count = struct.unpack_from(order + ("Q" if is_big else "H"), data, offset)[0]
    first, length = (offset + 8, 20) if is_big else (offset + 2, 12)
    values: dict[int, int] = {}
    for entry in range(min(count, 4096)):
        tag, kind, many = struct.unpack_from(order + ("HHQ" if is_big else "HHL"), data, first + entry * length)
        if tag in (256, 257, 258, 277) and kind in _TIFF_TYPES and many:
            place, room = (12, 8) if is_big else (8, 4)
            place += first + entry * length
            letter = _TIFF_TYPES[kind]
            many = min(many, 16)
            if many * struct.calcsize(order + letter) > room:
                place = struct.unpack_from(order + ("Q" if is_big else "L"), data, place)[0]
            values[tag] = max(struct.unpack_from(order + many * letter, data, place))
    if 256 not in values or 257 not in values:
        return None
    return DecodedSize(values[256], values[257], max(3, values.get(277, 1)) * -(-values.get(258, 1) // 8))


def _jpeg_2000(data: bytes | memoryview) -> DecodedSize | None:
    """Decoded size; the decoder holds four bytes per channel in addition to the image."""
    place = 0 if bytes(data[:4]) == b"\xff\x4f\xff\x51" else next((at for kind, at in _boxes(data) if kind == b"jp2c"), None)
    if place is None:
        return None
    right, bottom, left, top = struct.unpack_from(">LLLL", data, place + 8)
    channels = struct.unpack_from(">H", data, place + 40)[0]
    return DecodedSize(max(0, right - left), max(0, bottom - top), 4 * max(1, channels) + 4)


def _boxes(data: bytes | memoryview) -> Iterator[tuple[bytes, int]]:
    """Type of each box of a file, and the position of its content."""
    place = 0
    while place + 16 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, place)
        head = 8
        if length == 1:
            length, head = struct.unpack_from(">Q", data, place + 8)[0], 16
        yield kind, place + head
        if length < head:  # extends to the end of the file
            return
        place += length


def _avif(data: bytes | memoryview) -> DecodedSize | None:
    """Size of the largest image in the file."""
    sizes: list[tuple[int, int]] = [struct.unpack_from(">LL", data, match.end() + 4) for match in re.finditer(b"ispe", data)]
    is_deep = any(data[match.end() + 2] & 0x40 for match in re.finditer(b"av1C", data))
    if not sizes:
        return None
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return DecodedSize(width, height, 8 if is_deep else 4)


def _radiance(data: bytes | memoryview) -> DecodedSize | None:
    """Decoded size; three 32-bit numbers per pixel."""
    match = _HDR_SIZE.search(data)
    if match is None:
        return None
    sides = int(match[2]), int(match[3])
    return DecodedSize(*(sides if match[1] == b"X" else sides[::-1]), 12)


def _portable(data: bytes) -> DecodedSize | None:
    if data[:2] == b"P7":
        fields = dict(re.findall(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,10})", data.partition(b"ENDHDR")[0]))
        channels, deep = max(3, int(fields[b"DEPTH"])), int(fields[b"MAXVAL"]) > 255
        return DecodedSize(int(fields[b"WIDTH"]), int(fields[b"HEIGHT"]), channels * (2 if deep else 1))
    numbers = [int(match[1]) for match in itertools.islice(_consecutive(data), 3)]
    if data[:2] in (b"PF", b"Pf"):
        return DecodedSize(numbers[0], numbers[1], 12)
    return DecodedSize(numbers[0], numbers[1], 6 if data[:2] not in (b"P1", b"P4") and numbers[2] > 255 else 3)


def _consecutive(data: bytes) -> Iterator[re.Match[bytes]]:
    place = 2
    while match := _NUMBERS.match(data, place):
        yield match
        place = match.end()


def _openexr(data: bytes) -> DecodedSize | None:
    """Decoded size; at most four 32-bit numbers per pixel."""
    place = data.find(b"dataWindow\0box2i\0")
    if place < 0:
        return None
    left, top, right, bottom = struct.unpack_from("<llll", data, place + 21)
    return DecodedSize(max(0, right - left + 1), max(0, bottom - top + 1), 16)
