"""Motion JPEG, as most cameras send over HTTP: images are found by JPEG markers alone, and limited before they are decoded.

Headers and boundaries between the images are ignored, since they are often wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from emodetect.errors import SourceError
from emodetect.media.pixel_limit import check_pixels

_START, _ANY = b"\xff\xd8\xff", 0xFF

_SCAN, _END, _START_CODE = 0xDA, 0xD9, 0xD8

_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers, whose segments contain the image's size."""

_MARKERS_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length."""

_CODED = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A marker after entropy-coded data."""

_MAX_HEAD, _MAX_PICTURE = 4 << 20, 100 << 20
"""Maximum number of bytes before the size is known (thumbnails, color profiles, maker notes), and of an image."""

_MAX_SCANS = 64
"""Maximum number of scans of a progressive image, against denial of service."""

_CHUNK = 1 << 16


class JpegScanner:
    """Splits a byte stream into JPEG files.

    Args:
        name: name of the source in errors.
        read: reads at most so many bytes, at least one; empty at the end.
    """

    def __init__(self, name: str, read: Callable[[int], bytes]) -> None:
        self._name, self._read = name, read
        self._buffer = bytearray()

    def next(self) -> bytes | None:
        """Read the next image, encoded; None at the end of the stream.

        Raises:
            SourceError: the image has too many pixels, or too many bytes for its pixels.
        """
        while True:
            if not self._find_start():
                return None
            end = self._end_of_picture()
            if end:
                picture = bytes(self._buffer[:end])
                del self._buffer[:end]
                return picture
            del self._buffer[:2]  # not an image after all

    def _find_start(self) -> bool:
        while (start := self._buffer.find(_START)) < 0:
            del self._buffer[: max(0, len(self._buffer) - len(_START) + 1)]
            if not self._read_more():
                return False
        del self._buffer[:start]
        return True

    def _end_of_picture(self) -> int:
        """End of the image at the start of the buffer; 0 if it is no image, or is truncated."""
        place, max_size, size, scans = 2, _MAX_HEAD, False, 0
        while self._has(place + 2, max_size):
            if self._buffer[place] != _ANY:
                return 0
            marker = self._buffer[place + 1]
            if marker == _ANY:  # a fill byte
                place += 1
            elif marker == _END:
                return place + 2 if scans else 0
            elif marker == _START_CODE:  # the next image; this one has no end marker
                return place if scans else 0
            elif marker in _MARKERS_WITHOUT_LENGTH:
                place += 2
            elif self._has(place + 4, max_size):
                length = int.from_bytes(self._buffer[place + 2 : place + 4], "big")
                if length < 2 or not self._has(place + 2 + length, max_size):
                    return 0
                if marker in _SIZES and length >= 8:
                    height, width = (int.from_bytes(self._buffer[place + at : place + at + 2], "big") for at in (5, 7))
                    check_pixels(self._name, width, height)
                    size, max_size = True, min(_MAX_PICTURE, _MAX_HEAD + 4 * width * height)
                place += 2 + length
                if marker == _SCAN:
                    scans += 1
                    if not size or scans > _MAX_SCANS:
                        return 0
                    place = self._end_of_scan(place, max_size)
                    if not place:
                        return 0
            else:
                return 0
        return 0

    def _end_of_scan(self, place: int, max_size: int) -> int:
        """Position of the next marker after entropy-coded data; 0 if the stream ends before it."""
        while (found := _CODED.search(self._buffer, place)) is None:
            place = max(place, len(self._buffer) - 1)
            if not self._has(len(self._buffer) + 1, max_size):
                return 0
        return found.start()

    def _has(self, length: int, max_size: int) -> bool:
        """Fill the buffer to at least this length; returns whether that succeeded."""
        if length > max_size:
            raise SourceError(f"{self._name}: sends a picture of more than {max_size / 1e6:.0f} MB")
        while len(self._buffer) < length:
            if not self._read_more():
                return False
        return True

    def _read_more(self) -> bool:
        data = self._read(_CHUNK)
        self._buffer += data
        return bool(data)
