"""A single picture as a file."""

from __future__ import annotations

from pathlib import Path

import cv2

from emodetect.errors import OutputError
from emodetect.system.output_files import written_whole
from emodetect.types import Image


def write_picture(image: Image, path: Path, *, overwrite: bool = False) -> None:
    """Save uint8 (height, width, 3) BGR; the name's ending says in which format.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    ok, data = cv2.imencode(path.suffix.lower(), image)
    if not ok:
        raise OutputError(f"{path}: OpenCV cannot write such a file")
    with written_whole(path, overwrite=overwrite) as partial:
        partial.write_bytes(data.tobytes())
