"""Live sources: a camera, a network stream, or a clip played at its own rate. The newest frame wins."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.errors import SourceError
from emodetect.latest import Latest
from emodetect.quiet import quiet_native_output
from emodetect.sources.camera_list import cameras_named, list_cameras
from emodetect.sources.pixels import check_pixels
from emodetect.suggestions import did_you_mean, did_you_mean_file
from emodetect.text import looks_like_address, public_address
from emodetect.types import Frame

_DEFAULT_RATE = 30.0
"""Frames a second where a source does not say."""

_OPEN_TIMEOUT_MS = 10_000
_READ_TIMEOUT_MS = 5_000

_STREAM_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")


@dataclass(frozen=True)
class LiveSource:
    """What ``--source`` names.

    Attributes:
        target: camera number, device path, file or URL.
        kind: "camera", "stream" or "file".
        label: what to call it, where the target says nothing to people.
    """

    target: int | str
    kind: str
    label: str = ""

    @property
    def name(self) -> str:
        """What may be shown of it: of a stream not the user, the password and what else may open it."""
        return public_address(str(self.target)) if self.kind == "stream" else self.label or str(self.target)

    @classmethod
    def parse(cls, text: str) -> LiveSource:
        """Tell a camera's number, a device, a URL, a file and a camera's name apart.

        Raises:
            SourceError: it is none of them, or a name of several cameras.
        """
        if text.isdecimal():
            return cls(int(text), "camera")
        if text.lower().startswith(_STREAM_SCHEMES):
            return cls(text, "stream")
        if looks_like_address(text):
            schemes = ", ".join(_STREAM_SCHEMES)
            raise SourceError(f"{public_address(text)}: unknown kind of address; --source takes {schemes}")
        path = Path(text)
        if path.is_dir():
            raise SourceError(f"{text}: is a folder, not a camera, clip or stream")
        if not path.exists():
            return cls._camera_named(text)
        return cls(text, "camera" if path.is_char_device() else "file")

    @classmethod
    def _camera_named(cls, text: str) -> LiveSource:
        cameras = list_cameras()
        matches = cameras_named(text, cameras)
        known = ", ".join(f"{camera.index} ({camera.name})" for camera in matches or cameras)
        if len(matches) > 1:
            raise SourceError(f"{text}: the name of several cameras: {known}; give more of the name, or the number")
        if not matches:
            meant = did_you_mean(text, [camera.name for camera in cameras]) or did_you_mean_file(Path(text))
            raise SourceError(
                f"{text}: no such file or device, nor the name of a camera; --source takes a camera's number or name "
                f"({known or 'none found'}), a device, a clip or a URL{meant}"
            )
        [camera] = matches
        return cls(camera.number, "camera", f"{camera.index} ({camera.name})")


class LiveCapture:
    """Reads a live source in a thread of its own and keeps only the newest frame.

    A clip plays at its own rate; frames nobody takes in time are dropped, as they are with a camera.

    Attributes:
        frames_per_second: the rate that the source announces.
        frames: where the newest frame is taken from; closed at the source's end.

    Args:
        source: what to open.
        loop: start a clip again at its end.

    Raises:
        SourceError: the source cannot be opened or gives no picture.
    """

    def __init__(self, source: LiveSource, *, loop: bool = False) -> None:
        self._source, self._loop = source, loop
        with quiet_native_output():
            self._capture = _open(source)
            width, height = (self._capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_pixels(source.name, width, height)
            ok, image = self._capture.read() if self._capture.isOpened() else (False, None)
        if not ok:
            self._capture.release()
            raise SourceError(_cannot_open(source))
        self._first = np.asarray(image, np.uint8)
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.frames_per_second = rate if 1 <= rate <= 240 else _DEFAULT_RATE
        self.frames: Latest[Frame] = Latest()
        self._stopping = threading.Event()
        self._error: SourceError | None = None
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to read; the source's time starts now."""
        self._started = time.monotonic()
        self._thread.start()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def dropped(self) -> int:
        """Frames that were read and that nobody took."""
        return self.frames.replaced

    def raise_error(self) -> None:
        """Raise what ended the source, unless it was its normal end.

        Raises:
            SourceError: a camera or stream went away.
        """
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            index, image = 0, self._first
            while not self._stopping.is_set():
                if self._source.kind == "file" and self._stopping.wait(index / self.frames_per_second - self.elapsed):
                    break
                self.frames.put(Frame(image, index, self.elapsed))
                read = self._next()
                if read is None:
                    break
                index, image = index + 1, read
        finally:
            self._capture.release()
            self.frames.close()

    def _next(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
        ok, image = self._capture.read()
        if not ok and self._source.kind == "file" and self._loop:
            self._capture.release()
            self._capture = _open(self._source)
            ok, image = self._capture.read()
        if ok:
            return np.asarray(image, np.uint8)
        if self._source.kind != "file" and not self._stopping.is_set():
            self._error = SourceError(f"{self._source.name}: the {self._source.kind} gives no more pictures")
        return None

    def close(self) -> None:
        """Stop reading; a read that never returns is left behind in its daemon thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        elif not self._thread.ident:
            self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _open(source: LiveSource) -> cv2.VideoCapture:
    if source.kind == "camera":
        capture = cv2.VideoCapture(source.target)
        # More buffered frames would only be older ones.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        _OPEN_TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        _READ_TIMEOUT_MS,
    ]
    return cv2.VideoCapture(str(source.target), cv2.CAP_FFMPEG, timeouts if source.kind == "stream" else [])


def _cannot_open(source: LiveSource) -> str:
    if source.kind == "camera":
        return (
            f"camera {source.name} cannot be opened; is it plugged in, free, and are you allowed to use it? "
            "--source takes another number, a clip or a URL"
        )
    if source.kind == "stream":
        return f"{source.name}: the stream cannot be opened; is the address right and the server running?"
    return f"{source.target}: not a video that can be read, or without frames"
