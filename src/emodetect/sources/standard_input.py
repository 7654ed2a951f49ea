"""Standard input as a source: raw frames, JPEGs, or a stream for FFmpeg."""

from __future__ import annotations

import os
import re

import cv2
import numpy as np

from emodetect.errors import SourceError
from emodetect.media.pixel_limit import check_pixels
from emodetect.sources.capture_format import CaptureFormat, PictureSize
from emodetect.sources.stream import MAX_BYTES, Capture, open_bytes, open_jpegs
from emodetect.system.assumptions import warn_once
from emodetect.types import Image

NAME = "standard input"

STANDARD_INPUT = "-"
"""Name of standard input among sources."""

_JPEG = re.compile(rb"\s*(?:--[^\r\n]{1,200}\r?\n|\xff\xd8\xff)")

_STREAMS = {
    "mpegts": re.compile(rb"G.{187}G|.{4}G.{191}G", re.DOTALL),
    "matroska": re.compile(rb"\x1a\x45\xdf\xa3"),
    "nut": re.compile(rb"nut/multimedia container"),
    "flv": re.compile(rb"FLV\x01"),
    "ivf": re.compile(rb"DKIF"),
    "ogg": re.compile(rb"OggS"),
    "avi": re.compile(rb"RIFF....AVI ", re.DOTALL),
    "h264": re.compile(rb"\0?\0\0\x01[\x67\x27\x09]"),
    "hevc": re.compile(rb"\0?\0\0\x01[\x40\x46]\x01"),
    "mpeg": re.compile(rb"\0\0\x01\xba"),
}
"""Signatures of stream formats, by FFmpeg's name."""

_START_BYTES = 400


class StandardInput:
    """The bytes of standard input.

    Attributes:
        max_bytes: limit of bytes that are read until `reset_byte_count`.
        error: why reading failed; None after the normal end.

    Raises:
        SourceError: standard input is a terminal.
    """

    def __init__(self) -> None:
        self.error: SourceError | None = None
        self.max_bytes, self._read_bytes = MAX_BYTES, 0
        self._peeked = b""
        if os.isatty(0):
            raise SourceError(f"{NAME} is a terminal; send pictures into it, as in 'ffmpeg ... | emodetect live ...'")

    def peek(self, size: int = 0) -> bytes:
        """Peek at the first bytes, at most ``size``."""
        while len(self._peeked) < size and (more := os.read(0, size - len(self._peeked))):
            self._peeked += more
        return self._peeked

    def reset_byte_count(self) -> None:
        """Reset the byte count."""
        self._read_bytes = 0

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes; empty at the end and after an error."""
        if self._read_bytes > self.max_bytes:
            self.error = SourceError(f"{NAME}: has sent {self.max_bytes / 1e6:.0f} MB without a picture")
            return b""
        if self._peeked:
            data, self._peeked = self._peeked[:size], self._peeked[size:]
        else:
            try:
                data = os.read(0, size)
            except OSError as error:
                self.error = SourceError(f"{NAME}: cannot be read ({error.strerror or error})")
                return b""
        self._read_bytes += len(data)
        return data

    def close(self) -> None:
        """Leave standard input open, which belongs to the process."""


def open_standard_input(form: CaptureFormat) -> Capture:
    """Open standard input.

    Args:
        form: size of raw frames (BGR, 8 bits); without one, the format is detected by its first bytes.

    Raises:
        SourceError: standard input is a terminal, empty, or has an unknown format.
    """
    body = StandardInput()
    try:
        if form.size is not None:
            return _RawFrames(body, form.size)
        start = body.peek(_START_BYTES)
    except OSError as error:
        raise SourceError(f"{NAME}: cannot be read ({error.strerror or error})") from error
    if not start:
        raise SourceError(f"{NAME} is empty")
    if _JPEG.match(start):
        return open_jpegs(NAME, body)
    kind = next((kind for kind, beginning in _STREAMS.items() if beginning.match(start)), None)
    if kind is None:
        hint = "`size` says how large raw frames are (bgr24)"
        raise SourceError(f"{NAME}: is neither MJPEG nor MPEG-TS, nor another stream that is known", hint=hint)
    return open_bytes(NAME, body, kind)


class _RawFrames:
    """Consecutive raw frames: three bytes per pixel, BGR, row by row from the top."""

    def __init__(self, body: StandardInput, size: PictureSize) -> None:
        check_pixels(NAME, *size)
        self._body, self._size = body, size
        self._bytes = 3 * size.width * size.height
        body.max_bytes = max(body.max_bytes, self._bytes)
        self._count = 0

    def get(self, number: int, /) -> float:
        sizes = {cv2.CAP_PROP_FRAME_WIDTH: self._size.width, cv2.CAP_PROP_FRAME_HEIGHT: self._size.height}
        return float(sizes.get(number, 0))

    def read(self) -> tuple[bool, Image | None]:
        frame = bytearray(self._bytes)
        filled = 0
        while filled < self._bytes and (data := self._body.read(min(self._bytes - filled, 1 << 20))):
            frame[filled : filled + len(data)] = data
            filled += len(data)
        if filled < self._bytes:
            self._end(filled)
            return False, None
        self._body.reset_byte_count()
        self._count += 1
        return True, np.frombuffer(frame, np.uint8).reshape(self._size.height, self._size.width, 3)

    def _end(self, rest: int) -> None:
        """Check that the last frame is complete.

        Raises:
            SourceError: there is no complete frame.
        """
        if self._body.error is not None:
            raise self._body.error
        if not rest and self._count:
            return
        each = f"a frame of {self._size} has {self._bytes:,} bytes (bgr24)"
        if not self._count:
            raise SourceError(f"{NAME}: {f'ends after {rest:,} bytes; {each}' if rest else 'is empty'}")
        warn_once(f"{NAME}: ends in the middle of a frame, after {rest:,} bytes; {each}; is `size` right?")

    def release(self) -> None: ...
