"""Reading a video file: every frame of it, or of a part of it, in order, none kept."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.errors import SourceError
from emodetect.probe import decodes, first_time
from emodetect.quiet import quiet_native_output
from emodetect.sources.pixels import check_pixels
from emodetect.suggestions import did_you_mean_file, meant_for_another
from emodetect.text import looks_like_address, public_name
from emodetect.types import Frame, Image

_log = logging.getLogger(__name__)

_DEFAULT_RATE = 25.0
"""Frames a second where a file does not say."""

_DELAY = 0.05
"""Pictures that start no more seconds after the sound start with it: its encoder delays sound, that of AAC by 0.02 s."""

_SQUARE = 0.02
"""Pixels that are wider than high, or the other way, by less than this share count as square: they often come of rounding."""


@dataclass(frozen=True)
class ClipPart:
    """Which frames of a clip are wanted.

    Attributes:
        start: seconds of media time from which on.
        end: seconds of media time before which.
        every: of these each N-th, beginning with the first.
    """

    start: float = 0.0
    end: float = math.inf
    every: int = 1

    def __str__(self) -> str:
        """The part in words."""
        end = "" if math.isinf(self.end) else f" to {self.end:g} s"
        return f"from {self.start:g} s{end}" + (f", one frame in {self.every}" if self.every > 1 else "")


WHOLE = ClipPart()


class VideoFile:
    """The frames of a video file, as they are shown: upright, and stretched where its pixels are not square.

    Args:
        path: the file.
        part: which of its frames; numbers and timestamps stay those of the whole clip.

    Attributes:
        path: the file.
        frames_per_second: the file's average rate.
        size: width and height of the pictures as they are shown, pixels.
        frame_count: how many frames the file announces; 0 where it does not know. Only `__iter__` tells for sure.

    Raises:
        SourceError: the file is missing, not a video, or holds no frame.
    """

    def __init__(self, path: Path, part: ClipPart = WHOLE) -> None:
        if path.is_dir():
            raise SourceError(f"{path}: is a folder, not a video")
        if not path.exists():
            if str(path).isdecimal() or looks_like_address(str(path)):
                raise SourceError(
                    f"{public_name(str(path))}: no such file; cameras and streams are for 'emodetect live --source'"
                )
            raise SourceError(f"{path}: no such file{did_you_mean_file(path)}")
        if not os.access(path, os.R_OK):
            raise SourceError(f"{path}: cannot be read (Permission denied)")
        self.path, self._part = path, part
        with quiet_native_output():
            self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
            width, height = (self._capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_pixels(path, width, height)
            self._first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not self._first[0]:
            self.close()
            raise SourceError(f"{path}: not a video that can be read, or without frames{meant_for_another(path, 'video')}")
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.frames_per_second = rate if 0 < rate <= 1000 else _DEFAULT_RATE
        height, width = np.asarray(self._first[1]).shape[:2]
        self.size = _shown_size(width, height, self._pixel_shape())
        check_pixels(path, *self.size)
        # A pipe can be read only once.
        start = (first_time(path, "v") or 0.0) if path.is_file() else 0.0
        self._start = start if start > _DELAY else 0.0
        self.frame_count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    @property
    def seconds(self) -> float:
        """When the pictures end by what the file announces, in its time; 0 where it does not know."""
        return self._start + self.frame_count / self.frames_per_second if self.frame_count else 0.0

    @property
    def expected_count(self) -> int:
        """How many frames the part should have, by what the file announces; 0 where it does not know."""
        first, last = (
            math.ceil(min(max(0.0, time - self._start) * self.frames_per_second, self.frame_count))
            for time in (self._part.start, self._part.end)
        )
        return math.ceil((last - first) / self._part.every)

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames once; timestamps are media time, seconds from the start of the file, and never go back.

        What comes before the part is decoded and left out: seeking in a file is as exact as its index, this always is.

        Where frames are missing since the file is damaged, the logger ``emodetect`` warns at the end.

        Raises:
            SourceError: the part holds no frame.
        """
        index, reached, ok = 0, 0, True
        timestamp, time = self._start, round(self._start, 6)
        # OpenCV counts from where the pictures start.
        shift = self._start - self._clock()
        while ok and time < self._part.end:
            if time >= self._part.start:
                if reached % self._part.every == 0:
                    found, image = self._capture.retrieve() if index else self._first
                    if not found:
                        break
                    yield Frame(self._stretched(np.asarray(image, np.uint8)), index, time)
                reached += 1
            index += 1
            ok = self._capture.grab()
            # The container's clock, so that a variable rate is right; where it stands still, the average rate.
            clock = self._clock() + shift
            timestamp = clock if clock > timestamp else timestamp + 1 / self.frames_per_second
            time = round(timestamp, 6)
        # OpenCV takes damage for the end, or leaves frames out, without a word; but headers are wrong without damage, too.
        if not ok and index < self.frame_count and not decodes(self.path):
            _log.warning("%s: is damaged; %d of the %d frames that it announces were read", self.path, index, self.frame_count)
        if not reached:
            limit = "" if ok and index else f"; it {'begins' if ok else 'ends'} at {time:.2f} s"
            raise SourceError(f"{self.path}: has no frame {self._part}{limit}")

    def _clock(self) -> float:
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _pixel_shape(self) -> float:
        """The width of the pictures' pixels as a multiple of their height."""
        across, down = (self._capture.get(side) for side in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        if across <= 0 or down <= 0:
            return 1.0
        is_turned = self._capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90
        return down / across if is_turned else across / down

    def _stretched(self, image: Image) -> Image:
        if image.shape[1::-1] == self.size:
            return image
        return np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _shown_size(width: int, height: int, pixel_shape: float) -> tuple[int, int]:
    """Width and height once the pixels are square: the shorter of their sides is stretched, so that nothing is lost."""
    if abs(pixel_shape - 1) < _SQUARE:
        return width, height
    return (round(width * pixel_shape), height) if pixel_shape > 1 else (width, round(height / pixel_shape))
