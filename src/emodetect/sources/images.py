"""Finding pictures, and reading a single one."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from emodetect.errors import SourceError
from emodetect.sources.pixels import max_pixels
from emodetect.suggestions import did_you_mean_file, meant_for_another
from emodetect.text import looks_like_address
from emodetect.types import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Endings that make a file of a folder a picture, and of the pictures that are written."""


def find_images(named: Sequence[Path]) -> dict[Path, SourceError | None]:
    """The pictures that paths, folders and patterns stand for.

    A folder stands for the pictures right in it, a pattern (``*``, ``?``, ``[...]``, and ``**`` for any folders) for those that
    it matches; what counts is their ending, and hidden files are left out. A path that leads to a file is never a pattern.

    Args:
        named: what the user named.

    Returns:
        Each picture once, whatever names lead to it: in the order of ``named``, those of a folder or pattern sorted. A folder
        or pattern that holds none stands there itself, with the error that says so.
    """
    found: dict[Path, SourceError | None] = {}
    seen: set[str] = set()
    for path in named:
        pictures, error = _expanded(path)
        for picture in pictures:
            if (place := os.path.realpath(picture)) not in seen:
                seen.add(place)
                found[picture] = error
    return found


def _expanded(path: Path) -> tuple[list[Path], SourceError | None]:
    if os.path.isdir(path):
        try:
            os.scandir(path).close()
        except OSError as error:
            return [path], SourceError(f"{path}: cannot be read ({error.strerror or error})")
        pictures = _matching(os.path.join(glob.escape(str(path)), "*"))
        if not pictures:
            return [path], SourceError(f"{path}: is a folder without pictures ({', '.join(IMAGE_SUFFIXES)})")
        return pictures, None
    if glob.has_magic(str(path)) and not os.path.exists(path):
        pictures = _matching(str(path))
        return (pictures, None) if pictures else ([path], SourceError(f"{path}: no picture has such a name"))
    return [path], None


def _matching(pattern: str) -> list[Path]:
    paths = map(Path, glob.iglob(pattern, recursive=True))
    return sorted(path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(path))


def read_image(path: Path) -> Image:
    """Read a picture as uint8 (height, width, 3) BGR.

    Gray, 16-bit and CMYK pictures are converted, an alpha channel is dropped, and the rotation in EXIF is applied.

    Raises:
        SourceError: the file is missing, not a picture, or cut short.
    """
    if os.path.isdir(path):  # unlike the path's own `is_dir`, not stopped by a folder that may not be entered
        raise SourceError(f"{path}: is a folder, not an image")
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        if looks_like_address(str(path)):
            raise SourceError(f"{path}: is an address, not a file; download the photo first") from None
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
        raise SourceError(f"{path}: not an image that can be read, or cut short{meant_for_another(path, 'image')}")
    return np.asarray(image, np.uint8)
