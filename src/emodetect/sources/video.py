"""Reading a video file: every frame, in order, none kept."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.errors import SourceError
from emodetect.quiet import quiet_native_output
from emodetect.sources.pixels import check_pixels
from emodetect.types import Frame

_log = logging.getLogger(__name__)

_DEFAULT_RATE = 25.0
"""Frames a second where a file does not say."""


class VideoFile:
    """All frames of a video file.

    Attributes:
        path: the file.
        frames_per_second: the file's average rate.
        size: width and height of the pictures as they are shown, pixels.
        frame_count: how many frames the file announces; 0 where it does not know. Only `__iter__` tells for sure.

    Raises:
        SourceError: the file is missing, not a video, or holds no frame.
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise SourceError(f"{path}: is a folder, not a video")
        if not path.exists():
            raise SourceError(f"{path}: no such file")
        self.path = path
        with quiet_native_output():
            self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
            width, height = (self._capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_pixels(path, width, height)
            self._first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not self._first[0]:
            self.close()
            raise SourceError(f"{path}: not a video that can be read, or without frames")
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.frames_per_second = rate if 0 < rate <= 1000 else _DEFAULT_RATE
        height, width = np.asarray(self._first[1]).shape[:2]
        self.size = width, height
        self.frame_count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames once; timestamps are media time in seconds and never go back.

        Where frames are missing since the file is damaged, the logger ``emodetect`` warns at the end.
        """
        index, timestamp = 0, 0.0
        ok, image = self._first
        while ok:
            # The container's clock, so that a variable rate is right; where it stands still, the average rate.
            clock = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if index:
                timestamp = clock if clock > timestamp else timestamp + 1 / self.frames_per_second
            yield Frame(np.asarray(image, np.uint8), index, round(timestamp, 6))
            index += 1
            ok, image = self._capture.read()
        # OpenCV takes damage for the end, or leaves frames out, without a word; but headers are wrong without damage, too.
        if index < self.frame_count and not _decodes(self.path):
            _log.warning("%s: is damaged; %d of the %d frames that it announces were read", self.path, index, self.frame_count)

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _decodes(path: Path) -> bool:
    """Whether FFmpeg gets through all pictures of a clip without an error."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-xerror", "-i", str(path.resolve())]
    done = subprocess.run([*command, "-map", "0:v:0", "-f", "null", "-"], capture_output=True, check=False)
    return done.returncode == 0 and not done.stderr
