"""Streams of bytes decoded by FFmpeg in a child process, which has no access to anything but these bytes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import cv2
import numpy as np

from emodetect.errors import OutputError, SourceError
from emodetect.media.decoder import Decoder
from emodetect.media.letterbox import letterboxed
from emodetect.media.pixel_limit import pixel_option
from emodetect.sources.frozen import FrozenWatch
from emodetect.types import Image

_ANALYZED = ["-analyzeduration", "1000000"]
"""FFmpeg's arguments for analyzing 1 s of a stream before its first picture. FFmpeg's default, 5 s, would delay a live one."""

_CHUNK = 65536


class Body(Protocol):
    """Bytes of a stream as a file object.

    Attributes:
        error: why reading failed; None after the normal end.
    """

    error: SourceError | None

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes; empty at the end."""

    def reset_byte_count(self) -> None:
        """Reset the byte count, which is limited."""

    def close(self) -> None:
        """Close the source."""


class PipedStream:
    """A stream as a capture. Pictures are upright, and those of another size are letterboxed to that of the first one.

    Args:
        name: name of the source in errors.
        body: its bytes; closed at their end, or after `release`.
        formats: FFmpeg's names of the allowed formats, separated by commas.

    Attributes:
        is_readable: whether there is a picture.

    Raises:
        SourceError: reading failed, or FFmpeg cannot be used.
    """

    def __init__(self, name: str, body: Body, formats: str) -> None:
        self._body, self._watch = body, FrozenWatch(name)
        restrictions = [*pixel_option(), "-protocol_whitelist", "pipe", "-format_whitelist", formats]
        try:
            self._decoder = Decoder(name, [*restrictions, *_ANALYZED, "-i", "pipe:0"], chunks=_chunks(body))
        except OutputError as error:
            raise SourceError(f"{name}: cannot be decoded ({error})") from error
        try:
            self._first = self._next = self._picture()
        except SourceError:
            self.release()
            raise
        self.is_readable = self._first is not None

    def get(self, number: int, /) -> float:
        """The size, the rate, or another property of the last picture; 0 for unknown ones."""
        height, width = (0, 0) if self._first is None else self._first.shape[:2]
        sizes = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height}
        return float(sizes[number]) if number in sizes else self._decoder.get(number)

    def read(self) -> tuple[bool, Image | None]:
        """Read the next picture; returns whether there is one."""
        image, self._next = self._next if self._next is not None else self._picture(), None
        if image is not None and self._first is not None:
            image = letterboxed(image, (self._first.shape[1], self._first.shape[0]))
        return image is not None, image

    def release(self) -> None:
        """End FFmpeg; the thread that reads the body closes it."""
        self._decoder.release()

    def _picture(self) -> Image | None:
        found, image = self._decoder.read()
        if found:
            self._body.reset_byte_count()
            image = np.asarray(image, np.uint8)
            self._watch.update(image)
            return image
        if self._body.error is not None:
            raise self._body.error
        return None


def _chunks(body: Body) -> Generator[bytes, None, None]:
    try:
        while data := body.read(_CHUNK):
            yield data
    finally:
        body.close()
