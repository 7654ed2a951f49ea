"""Limit of the pixels of an image, since a file of a few kilobytes can declare one that fills the memory.

The limit is an environment variable of OpenCV and applies to the whole process. OpenCV compares it with the header of a picture
before decoding. It reads the variable once, when it is imported.
"""

from __future__ import annotations

import os
import re

from emodetect.errors import SourceError

VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"

MAX_PIXELS = 200_000_000
"""The default of the commands: the pixels of the largest phone sensors. Decoded, that is 0.8 GB at most."""


_PIXEL_BYTES = 4

_USUAL_FILE_BYTES = 2**26


def limit_pixels(count: int | None = None) -> None:
    """Set the limit. Call before OpenCV is imported.

    OpenCV ends the process if the variable is not a number, or one of more than 64 bits.

    Args:
        count: pixels; None for the default, unless the user's environment has a limit.
    """
    os.environ[VARIABLE] = str(max_pixels() if count is None else count)


def max_pixels() -> int:
    """The current limit."""
    text = os.environ.get(VARIABLE, "")
    return int(text) if re.fullmatch("[0-9]{1,19}", text) else MAX_PIXELS


def pixel_option() -> list[str]:
    """FFmpeg's arguments that limit the pixels of an input."""
    return ["-max_pixels", str(min(max_pixels(), 2**31 - 1))]


def max_picture_bytes() -> int:
    """Limit of the bytes of a decoded picture: four per allowed pixel.

    All 8-bit pictures keep within it. 16-bit pictures with four channels, which PNG allows, may have half as many pixels.
    """
    return _PIXEL_BYTES * max_pixels()


def max_file_bytes() -> int:
    """Limit of the size of an image file, bytes: that of the decoded picture, but at least the size of photos of phones."""
    return max(max_picture_bytes(), _USUAL_FILE_BYTES)


def gigabytes(count: int) -> str:
    """A number of bytes as text, rounded: 1.2 GB, 1.2 MB or 1,234 bytes."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count:,} bytes"


def check_pixels(name: object, width: float, height: float) -> None:
    """Reject a clip or stream whose pictures are too large according to its header.

    Args:
        name: name of the clip or stream, for the error.
        width: pixels.
        height: pixels.

    Raises:
        SourceError: the pictures have more pixels than the limit.
    """
    if width * height > max_pixels():
        raise SourceError(f"{name}: pictures of {width:.0f} x {height:.0f} are more than {max_pixels()} pixels (`max_pixels`)")
