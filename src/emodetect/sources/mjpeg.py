"""JPEG after JPEG, as most cameras send over HTTP: found by what a JPEG itself says, and bounded before it is decoded.

What stands between the pictures is not believed: lengths and boundaries are often wrong, and need no reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from emodetect.errors import SourceError
from emodetect.media.pixel_limit import check_pixels

_START, _ANY = b"\xff\xd8\xff", 0xFF

_SCAN, _END, _START_CODE = 0xDA, 0xD9, 0xD8

_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""The segments that hold the picture's size, one for each way of coding."""

_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length."""

_CODED = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""What ends coded pixels."""

_MOST_HEAD, _MOST = 4 << 20, 100 << 20
"""Bytes before the size is known (thumbnails, color profiles, what a camera notes), and bytes of a whole picture."""

_MOST_SCANS = 64
"""Scans of a progressive picture: more are made to cost time."""

_CHUNK = 1 << 16


class JpegScanner:
    """Cuts a stream of bytes into JPEG files.

    Args:
        name: what to call the source in errors.
        read: gives up to so many bytes, at least one; none at the end.
    """

    def __init__(self, name: str, read: Callable[[int], bytes]) -> None:
        self._name, self._read = name, read
        self._buffer = bytearray()

    def next(self) -> bytes | None:
        """The next picture, undecoded; None at the stream's end.

        Raises:
            SourceError: it announces more pixels than are allowed, or has more bytes than its pixels can take.
        """
        while True:
            if not self._find_start():
                return None
            end = self._end_of_picture()
            if end:
                picture = bytes(self._buffer[:end])
                del self._buffer[:end]
                return picture
            del self._buffer[:2]  # it only looked like one

    def _find_start(self) -> bool:
        while (start := self._buffer.find(_START)) < 0:
            del self._buffer[: max(0, len(self._buffer) - len(_START) + 1)]
            if not self._more():
                return False
        del self._buffer[:start]
        return True

    def _end_of_picture(self) -> int:
        """Where the picture at the buffer's beginning ends; 0 where it is none, or the stream ends in it."""
        place, most, size, scans = 2, _MOST_HEAD, False, 0
        while self._has(place + 2, most):
            if self._buffer[place] != _ANY:
                return 0
            marker = self._buffer[place + 1]
            if marker == _ANY:  # filling
                place += 1
            elif marker == _END:
                return place + 2 if scans else 0
            elif marker == _START_CODE:  # the next picture; this one lacks its end
                return place if scans else 0
            elif marker in _ALONE:
                place += 2
            elif self._has(place + 4, most):
                length = int.from_bytes(self._buffer[place + 2 : place + 4], "big")
                if length < 2 or not self._has(place + 2 + length, most):
                    return 0
                if marker in _SIZES and length >= 8:
                    height, width = (int.from_bytes(self._buffer[place + at : place + at + 2], "big") for at in (5, 7))
                    check_pixels(self._name, width, height)
                    size, most = True, min(_MOST, _MOST_HEAD + 4 * width * height)
                place += 2 + length
                if marker == _SCAN:
                    scans += 1
                    if not size or scans > _MOST_SCANS:
                        return 0
                    place = self._end_of_scan(place, most)
                    if not place:
                        return 0
            else:
                return 0
        return 0

    def _end_of_scan(self, place: int, most: int) -> int:
        """Where the next marker after coded pixels stands; 0 where the stream ends before."""
        while (found := _CODED.search(self._buffer, place)) is None:
            place = max(place, len(self._buffer) - 1)
            if not self._has(len(self._buffer) + 1, most):
                return 0
        return found.start()

    def _has(self, length: int, most: int) -> bool:
        """Read on until the buffer has so many bytes."""
        if length > most:
            raise SourceError(f"{self._name}: sends a picture of more than {most / 1e6:.0f} MB")
        while len(self._buffer) < length:
            if not self._more():
                return False
        return True

    def _more(self) -> bool:
        data = self._read(_CHUNK)
        self._buffer += data
        return bool(data)
