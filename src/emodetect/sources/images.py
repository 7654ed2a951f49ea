"""Reading a single picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from emodetect.errors import SourceError
from emodetect.sources.pixels import max_pixels
from emodetect.suggestions import did_you_mean_file
from emodetect.types import Image


def read_image(path: Path) -> Image:
    """Read a picture as uint8 (height, width, 3) BGR.

    Gray, 16-bit and CMYK pictures are converted, an alpha channel is dropped, and the rotation in EXIF is applied.

    Raises:
        SourceError: the file is missing, not a picture, or cut short.
    """
    if path.is_dir():
        raise SourceError(f"{path}: is a folder, not an image")
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data.size:
        raise SourceError(f"{path}: the file is empty")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise SourceError(f"{path}: announces more than {max_pixels()} pixels (--max-pixels)") from error
        raise SourceError(f"{path}: cannot be decoded ({error.err})") from error
    if image is None:
        raise SourceError(f"{path}: not an image that can be read, or cut short")
    return np.asarray(image, np.uint8)
