"""Video files: plain frames, annotated frames, and live recordings."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from typing_extensions import override

from emodetect.drawing.overlay import Layout, Style, draw
from emodetect.emotions.stable_labels import StableLabels
from emodetect.media.encoder import VideoEncoder
from emodetect.media.letterbox import letterboxed
from emodetect.media.media_file import MediaFile
from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")

_MAX_REPEATED = 300
"""Maximum number of repeated frames in a gap. A camera may be lost for hours; encoding one copy per frame of that time would take
minutes, and new frames would be lost meanwhile. Beyond the limit, each copy is shown longer."""


class PlainVideo(Sink):
    """Encodes plain frames, each at its own timestamp.

    If the size of the source changes, frames are scaled to the first one's size, with black bars if the shape differs.

    Args:
        path: file to write.
        frames_per_second: average frame rate.
        sound_from: a media file whose sound is copied, from the first frame's timestamp on.
        overwrite: whether an existing file may be replaced.
    """

    def __init__(
        self, path: Path, frames_per_second: float, *, sound_from: Path | MediaFile | None = None, overwrite: bool = False
    ) -> None:
        self._path, self._rate = path, frames_per_second
        self._sound_from, self._overwrite = sound_from, overwrite
        self._encoder: VideoEncoder | None = None
        self._size = 0, 0

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        if self._encoder is None:
            self._size = frame.image.shape[1], frame.image.shape[0]
            self._encoder = VideoEncoder(
                self._path,
                self._size,
                self._rate,
                sound_from=self._sound_from,
                sound_start=frame.timestamp,
                overwrite=self._overwrite,
            )
        self._encoder.write(letterboxed(frame.image, self._size), frame.timestamp)

    @override
    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()


class AnnotatedVideo(Sink):
    """Like `PlainVideo`, but draws each result on its frame, with stable labels.

    Args:
        path: file to write.
        frames_per_second: average frame rate.
        sound_from: a media file whose sound is copied, from the first frame's timestamp on.
        overwrite: whether an existing file may be replaced.
        style: language and lettering; None for English.
    """

    def __init__(
        self,
        path: Path,
        frames_per_second: float,
        *,
        sound_from: Path | MediaFile | None = None,
        overwrite: bool = False,
        style: Style | None = None,
    ) -> None:
        self._video = PlainVideo(path, frames_per_second, sound_from=sound_from, overwrite=overwrite)
        self._style, self._steady, self._layout = style, StableLabels(), Layout()

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        readings = self._steady.update(result).readings
        picture = draw(frame.image, readings, seen=result.seen, style=self._style, layout=self._layout)
        self._video.write(replace(frame, image=picture), result)

    @override
    def close(self) -> None:
        self._video.close()


class LiveRecording(Sink):
    """Like `AnnotatedVideo`, but for frames that arrive irregularly: each one is shown until the next.

    Args:
        path: file to write.
        frames_per_second: frame rate of the file; reduced only during long gaps.
        overwrite: whether an existing file may be replaced.
        style: language and lettering; None for English.
    """

    def __init__(self, path: Path, frames_per_second: float, *, overwrite: bool = False, style: Style | None = None) -> None:
        self._rate = frames_per_second
        self._video = AnnotatedVideo(path, frames_per_second, overwrite=overwrite, style=style)
        self._start: float | None = None
        self._last: tuple[Frame, FrameResult] | None = None
        self._written = 0

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        if self._start is None:
            self._start = frame.timestamp
        # The nearest position, since a camera's frames arrive a little early or late.
        place = round((frame.timestamp - self._start) * self._rate)
        if self._last is not None and place > self._written:
            step = math.ceil((place - self._written) / _MAX_REPEATED)
            for number in range(self._written, place, step):
                self._write(number, *self._last)
        if place >= self._written:
            self._write(place, frame, result)
        self._last = frame, result

    def _write(self, place: int, frame: Frame, result: FrameResult) -> None:
        self._video.write(replace(frame, timestamp=place / self._rate), result)
        self._written = place + 1

    @override
    def close(self) -> None:
        self._video.close()
