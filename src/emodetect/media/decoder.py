"""Decoding clips and streams that can be read only once, such as pipes, with FFmpeg in a child process."""

from __future__ import annotations

import contextlib
import math
import queue
import re
import subprocess
import threading
from collections.abc import Generator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from emodetect.errors import SourceError
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.letterbox import SQUARE_PIXELS
from emodetect.media.pixel_limit import check_pixels
from emodetect.system.child_processes import ended_by, kill_child, start_child
from emodetect.types import Image

_PICTURE = re.compile(rb"\[Parsed_showinfo\S* @ \S+\] n: *\d+ pts:.* pts_time:(\S+) .* s:(\d+)x(\d+) ")
"""FFmpeg's line for each picture, with its time, seconds, and size."""

_RATE = re.compile(r"^  Stream #0:.*: Video: .* ([\d.]+)(k?) fps", re.MULTILINE)

_MAX_LINES, _MAX_LINE_LENGTH = 1000, 1000
"""Maximum number of FFmpeg's lines before the first picture that are kept, and of the bytes of each."""


class _Picture(NamedTuple):
    """Properties of a picture, which FFmpeg prints before the picture itself is read."""

    time: float
    width: int
    height: int


class Decoder:
    """Decodes the pictures of a pipe or stream: upright, with square pixels, each in its own size.

    It has the methods of `cv2.VideoCapture` that clips are read with. A signal interrupts its waits, and so does `release` from
    any thread.

    Args:
        name: name of the source in errors.
        source: FFmpeg's arguments for the input.
        standard_input: the pipe that is FFmpeg's standard input, if the bytes come from one.
        chunks: the bytes otherwise. Another thread takes them, and closes the iterator after the last one or `release`.

    Attributes:
        messages: FFmpeg's messages before the first picture; complete after the first `grab`.

    Raises:
        OutputError: FFmpeg cannot be used.
        SourceError: it cannot be started.
    """

    def __init__(
        self,
        name: str,
        source: Sequence[str],
        *,
        standard_input: int = subprocess.PIPE,
        chunks: Generator[bytes, None, None] | None = None,
    ) -> None:
        self.messages = ""
        self._name = name
        self._coming: queue.SimpleQueue[_Picture | None] = queue.SimpleQueue()
        self._image: Image | None = None
        self._time = math.nan
        # fmt: off
        command = [
            ffmpeg_program(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", *source,
            "-map", "0:V:0", "-vf", f"{SQUARE_PIXELS},showinfo=checksum=0,format=bgr24", "-noautoscale",
            "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo", "-flush_packets", "1", "pipe:1",
        ]
        # fmt: on
        pipe = subprocess.PIPE
        try:
            self._process = start_child(command, stdin=standard_input, stdout=pipe, stderr=pipe)
        except OSError as error:
            raise SourceError(f"{self._name}: cannot be read: FFmpeg cannot be started ({error.strerror or error})") from error
        threading.Thread(target=self._listen, name="decoder messages", daemon=True).start()
        if chunks is not None:
            threading.Thread(target=self._feed, args=(chunks,), name="decoder input", daemon=True).start()

    def _feed(self, chunks: Generator[bytes, None, None]) -> None:
        """Write the input until it or FFmpeg ends."""
        assert self._process.stdin is not None
        with contextlib.closing(chunks), contextlib.suppress(OSError), self._process.stdin as pipe:
            for chunk in chunks:
                pipe.write(chunk)
                pipe.flush()

    def _listen(self) -> None:
        """Read FFmpeg's messages until it ends; it would block on a full pipe."""
        assert self._process.stderr is not None
        lines_before: list[bytes] = []
        has_begun = False
        with self._process.stderr as lines:
            for line in lines:
                if found := _PICTURE.match(line):
                    if not has_begun:
                        self.messages, has_begun = b"".join(lines_before).decode(errors="replace"), True
                    time = found[1].decode()
                    seconds = float(time) if re.fullmatch(r"-?[\d.]+", time) else math.nan
                    self._coming.put(_Picture(seconds, int(found[2]), int(found[3])))
                elif not has_begun and len(lines_before) < _MAX_LINES:
                    lines_before.append(line[:_MAX_LINE_LENGTH])
        if not has_begun:
            self.messages = b"".join(lines_before).decode(errors="replace")
        self._coming.put(None)

    def grab(self) -> bool:
        """Wait for the next picture; False if there is none.

        Raises:
            SourceError: it is too large, or FFmpeg was killed.
        """
        picture = self._coming.get()
        if picture is None:
            self._coming.put(None)
            if (code := self._process.wait()) < 0:
                raise SourceError(f"{self._name}: FFmpeg, which decodes its pictures, was ended by {ended_by(-code)}")
            return False
        check_pixels(self._name, picture.width, picture.height)
        assert self._process.stdout is not None
        size = 3 * picture.width * picture.height
        with contextlib.suppress(ValueError):  # closed meanwhile
            data = self._process.stdout.read(size)
            if len(data) == size:
                self._image = np.frombuffer(bytearray(data), np.uint8).reshape(picture.height, picture.width, 3)
                self._time = picture.time
                return True
        return False

    def retrieve(self) -> tuple[bool, Image | None]:
        """The picture that was grabbed last."""
        return self._image is not None, self._image

    def read(self) -> tuple[bool, Image | None]:
        """The next picture, if there is one."""
        return self.retrieve() if self.grab() else (False, None)

    def get(self, number: int, /) -> float:
        """The rate, frames per second, or the time of the last picture, milliseconds; 0 for other properties."""
        if number == cv2.CAP_PROP_POS_MSEC:
            return 1000 * self._time
        if number == cv2.CAP_PROP_FPS and (rate := _RATE.search(self.messages)):
            return float(rate[1]) * (1000 if rate[2] else 1)
        return 0.0

    def release(self) -> None:
        """End FFmpeg; may be called twice."""
        assert self._process.stdout is not None
        kill_child(self._process)
        self._process.wait()
        self._process.stdout.close()
