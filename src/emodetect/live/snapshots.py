"""Snapshots of a live session, saved in the background."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from emodetect.drawing.phrases import Phrase
from emodetect.errors import OutputError
from emodetect.live.view import View
from emodetect.media.image_file import write_picture
from emodetect.system.output_files import remove_if_empty, reserve_name
from emodetect.types import Image


class Snapshots:
    """Saves images as PNG files in a separate thread. A file that cannot be written is reported, and the session continues.

    Args:
        folder: existing folder for the files.
        view: shows the messages.

    Attributes:
        saved: number of files saved.
    """

    def __init__(self, folder: Path, view: View) -> None:
        self._folder, self._view = folder, view
        self._thread = ThreadPoolExecutor(1, "save")
        self.saved = 0

    def save(self, image: Image) -> None:
        """Save an image, uint8 (height, width, 3) BGR, named by the current time. The image must not change afterwards."""
        self._thread.submit(self._save, image, self._folder / time_stamped(".png"))

    def _save(self, image: Image, path: Path) -> None:
        path = reserve_name(path)
        try:
            write_picture(image, path, overwrite=True)
        except OutputError as error:
            remove_if_empty(path)
            self._view.report_error("picture", path, error)
        else:
            self._view.notify(Phrase.SAVED, "picture", path=path.name)
            self.saved += 1

    def close(self) -> None:
        """Wait until all images are saved."""
        self._thread.shutdown()


def time_stamped(suffix: str) -> Path:
    """A file name with the current time, such that names sort by time: emodetect-20260131-235959-123 and the suffix."""
    now = datetime.now()
    return Path(f"emodetect-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}{suffix}")
