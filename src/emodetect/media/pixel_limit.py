"""How many pixels a picture may have: a file of a few kilobytes can announce one that fills the memory.

The limit is where OpenCV itself looks for it, in the environment, and holds for the whole process. OpenCV compares it with a
picture's header before it decodes anything; it reads it once, when it is imported.
"""

from __future__ import annotations

import os
import re

from emodetect.errors import SourceError

VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"

MAX_PIXELS = 200_000_000
"""The default of the commands: what the largest sensors of telephones have. Decoded, that is 0.8 GB at most."""


_PIXEL_BYTES = 4

_USUAL_FILE_BYTES = 2**26


def limit_pixels(count: int | None = None) -> None:
    """Set the limit; without a count the default, unless the user's environment has one. Call before OpenCV is imported.

    OpenCV ends the process if what stands in the environment is no number, or one of more than 64 bits.
    """
    os.environ[VARIABLE] = str(max_pixels() if count is None else count)


def max_pixels() -> int:
    """The limit that holds."""
    text = os.environ.get(VARIABLE, "")
    return int(text) if re.fullmatch("[0-9]{1,19}", text) else MAX_PIXELS


def max_picture_bytes() -> int:
    """How many bytes a picture may take once it is decoded: four for each of the pixels that it may have.

    All pictures of 8 bits keep within this; of those of 16 bits and four channels, such as PNG can have, half as many pixels do.
    """
    return _PIXEL_BYTES * max_pixels()


def max_file_bytes() -> int:
    """How large a picture's file may be: as large as the picture decoded, but always as large as photos of telephones are."""
    return max(max_picture_bytes(), _USUAL_FILE_BYTES)


def gigabytes(count: int) -> str:
    """A number of bytes in words, rounded to what can be told apart at a glance."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count:,} bytes"


def check_pixels(name: object, width: float, height: float) -> None:
    """Refuse pictures of a clip or stream that are too large, by what its header says; ``name`` is named in the error.

    Raises:
        SourceError: they are.
    """
    if width * height > max_pixels():
        raise SourceError(f"{name}: pictures of {width:.0f} x {height:.0f} are more than {max_pixels()} pixels (`max_pixels`)")
