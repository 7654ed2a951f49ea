"""Reading a video file: every frame, in order, none kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.errors import SourceError
from emodetect.quiet import quiet_native_output
from emodetect.sources.pixels import check_pixels
from emodetect.suggestions import did_you_mean_file
from emodetect.types import Frame

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
            raise SourceError(f"{path}: no such file{did_you_mean_file(path)}")
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
        """Read the frames once; timestamps are media time in seconds and never go back."""
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

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
