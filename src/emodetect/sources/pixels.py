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
"""The default of the commands: what the largest sensors of telephones have. Decoded, that is 0.6 GB."""


def limit_pixels(count: int | None = None) -> None:
    """Set the limit; without a count the default, unless the user's environment has one. Call before OpenCV is imported.

    OpenCV ends the process if what stands in the environment is no number, or one of more than 64 bits.
    """
    os.environ[VARIABLE] = str(max_pixels() if count is None else count)


def max_pixels() -> int:
    """The limit that holds."""
    text = os.environ.get(VARIABLE, "")
    return int(text) if re.fullmatch("[0-9]{1,19}", text) else MAX_PIXELS


def check_pixels(name: object, width: float, height: float) -> None:
    """Refuse pictures of a clip or stream that are too large, by what its header says; ``name`` is named in the error.

    Raises:
        SourceError: they are.
    """
    if width * height > max_pixels():
        raise SourceError(f"{name}: pictures of {width:.0f} x {height:.0f} are more than {max_pixels()} pixels (--max-pixels)")
