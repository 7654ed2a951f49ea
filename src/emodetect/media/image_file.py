"""Writing image files."""

from __future__ import annotations

from pathlib import Path

import cv2

from emodetect.errors import OutputError
from emodetect.system.output_files import atomic_write
from emodetect.types import Image


def write_picture(image: Image, path: Path, *, overwrite: bool = False) -> None:
    """Save an image in the format given by the ending of the name.

    Args:
        image: uint8 (height, width, 3) BGR.
        path: file to write.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    ok, data = cv2.imencode(path.suffix.lower(), image)
    if not ok:
        raise OutputError(f"{path}: OpenCV cannot write such a file")
    with atomic_write(path, overwrite=overwrite) as partial:
        partial.write_bytes(data.tobytes())
