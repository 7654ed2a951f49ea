"""Live sources: a camera, a network stream, or a clip in real time. Only the newest frame is kept."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.errors import SourceError, UsageError, about, first_line
from emodetect.media.pixel_limit import check_pixels
from emodetect.queues.latest import Latest
from emodetect.sources.camera_list import cameras_named, list_cameras
from emodetect.sources.capture_format import UNSTATED, CaptureFormat
from emodetect.sources.sockets import Sockets
from emodetect.sources.standard_input import NAME, STANDARD_INPUT, open_standard_input
from emodetect.sources.stream import STREAM_SCHEMES, Capture, StreamUnavailable, open_stream
from emodetect.sources.video import VideoFile
from emodetect.system.assumptions import warn_once
from emodetect.system.clock import AwakeClock
from emodetect.text.printable import looks_like_address, public_address, public_name
from emodetect.text.suggestions import did_you_mean, did_you_mean_file
from emodetect.types import Frame, Image

_DEFAULT_RATE = 30.0
"""Frame rate of a source that does not state one, fps."""

FIRST_PICTURE_SECONDS = 10.0
"""Time-out for the first picture of a source, and for each picture of a clip."""

STALL_SECONDS = 2.5
"""Time without a picture after which a camera or stream counts as lost."""

_MIN_PAUSE, _MAX_PAUSE = 0.1, 1.0
"""Back-off between attempts to reconnect: initial and maximum delay, seconds."""

_POLL_SECONDS = 0.1
"""Interval, seconds, at which a thread that waits for a picture checks for other events."""

_MAX_CONCURRENT_TRIES = 3
"""Maximum number of concurrent attempts to reconnect, including abandoned ones that still run."""


_MEASURED_FRAMES = 100
"""Number of frames over which the rate of standard input is measured."""

_SAME_RATE = 0.02
"""Relative tolerance between the requested and the actual frame rate; 29.97 counts as 30."""


@dataclass(frozen=True)
class LiveSource:
    """A camera, clip or stream, as named by a user.

    Attributes:
        target: camera number, device path, file or URL.
        kind: "camera", "stream", "file", or "pipe" for standard input.
        label: display name, if the target has no readable one.
    """

    target: int | str
    kind: str
    label: str = ""

    @property
    def name(self) -> str:
        """Name without secrets; for a stream without user, password and access tokens."""
        if self.kind == "pipe":
            return NAME
        return public_address(str(self.target)) if self.kind == "stream" else self.label or str(self.target)

    @property
    def title(self) -> str:
        """Display name; for a file without its folder."""
        if self.kind == "camera":
            return self.name if isinstance(self.target, str) or self.label else f"camera {self.target}"
        return Path(self.name).name if self.kind == "file" else self.name

    @classmethod
    @about("source")
    def parse(cls, text: str) -> LiveSource:
        """Parse a camera's number or name, a device, a URL, a file, or - for standard input.

        Raises:
            SourceError: the text is none of these, or the name of several cameras.
        """
        if text == STANDARD_INPUT:
            return cls(text, "pipe")
        if text.isdecimal():
            return cls(int(text), "camera")
        if text.lower().startswith(STREAM_SCHEMES):
            return cls(text, "stream")
        if looks_like_address(text) and not os.path.exists(text):
            schemes = ", ".join(STREAM_SCHEMES)
            raise SourceError(f"{public_address(text)}: unknown kind of address", hint=f"`source` takes {schemes}")
        if not text.strip():
            raise SourceError("`source` is empty", hint="it takes a camera's number or name, a device, a clip or a URL")
        path = Path(text)
        if os.path.isdir(path):  # unlike pathlib, os.path does not raise if a name is too long
            raise SourceError(f"{text}: is a folder, not a camera, clip or stream")
        try:
            mode = os.stat(path).st_mode
        except PermissionError:  # of a parent folder
            return cls(text, "file")
        except (OSError, ValueError):
            return cls._camera_named(text)
        return cls(text, "camera" if stat.S_ISCHR(mode) else "file")

    @classmethod
    def _camera_named(cls, text: str) -> LiveSource:
        cameras = list_cameras()
        matches = cameras_named(text, cameras)
        known = ", ".join(f"{camera.index} ({camera.name})" for camera in matches or cameras)
        if len(matches) > 1:
            raise SourceError(f"{text}: the name of several cameras: {known}; give more of the name, or the number")
        if not matches:
            meant = did_you_mean(text, [camera.name for camera in cameras]) or did_you_mean_file(Path(text))
            what = f"{public_name(text)}: no such file or device, nor the name of a camera"
            hint = f"`source` takes a camera's number or name ({known or 'none found'}), a device, a clip or a URL{meant}"
            raise SourceError(what, hint=hint)
        [camera] = matches
        return cls(camera.number, "camera", f"{camera.index} ({camera.name})")


class _Reader:
    """Opens and reads a source in a separate thread, which is abandoned if a native call does not return.

    One picture is read ahead. An abandoned reader drops its pictures, and closes the source itself.

    Attributes:
        frames_per_second: frame rate stated by the source; known with the first picture.
        error: why the source failed, other than by having no picture; final once finished.
        unavailable: temporary reason why the source could not be opened, if known; final once finished.

    Args:
        source: source to open.
        form: requested size and frame rate.
        loop: whether to restart a clip at its end.
        follow_redirects: whether a stream may redirect to other hosts.
        seconds: time-out of native calls that cannot be aborted otherwise.
    """

    def __init__(
        self,
        source: LiveSource,
        form: CaptureFormat = UNSTATED,
        *,
        loop: bool = False,
        follow_redirects: bool = False,
        seconds: float = 2 * FIRST_PICTURE_SECONDS,
    ) -> None:
        self.frames_per_second = _DEFAULT_RATE
        self.error: SourceError | None = None
        self.unavailable: StreamUnavailable | None = None
        self._source, self._form, self._loop = source, form, loop
        self._follow_redirects, self._seconds = follow_redirects, seconds
        self._sockets = Sockets()
        self._next: Latest[Image] = Latest()
        self._wanted = threading.Semaphore(0)
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> Image | None:
        """Take the next picture; None after the time-out, seconds, or at the end."""
        image = self._next.take(timeout)
        if image is not None:
            self._wanted.release()
        return image

    @property
    def finished(self) -> bool:
        """Whether the source has ended and all pictures are taken."""
        return self._next.finished

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running, so that it may still hold the source."""
        return self._thread.is_alive()

    def abandon(self) -> None:
        """Stop reading and close the connections, without waiting for the thread."""
        self._abandoned = True
        self._sockets.close()
        self._wanted.release()

    def _run(self) -> None:
        try:
            while self._play() and self._loop:
                pass
        except StreamUnavailable as error:
            self.unavailable = error
        except SourceError as error:
            self.error = error
        except cv2.error as error:
            self.error = SourceError(f"{self._source.name}: cannot be read ({first_line(error)})")
        finally:
            self._sockets.close()
            self._next.close()

    def _play(self) -> bool:
        """Read from the beginning to the end; returns whether there were pictures and more are wanted."""
        if self._source.kind == "file":
            return self._play_file(Path(str(self._source.target)))
        capture = self._open()
        try:
            width, height = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_pixels(self._source.name, width, height)
            rate = float(capture.get(cv2.CAP_PROP_FPS))
            self.frames_per_second = rate if 1 <= rate <= 240 else _DEFAULT_RATE
            if self._source.kind == "pipe":
                self.frames_per_second = self._form.frames_per_second or self.frames_per_second
            count = 0
            while not self._abandoned:
                image = capture.read()[1]
                if image is None:
                    break
                count += 1
                self._put(np.asarray(image, np.uint8))
            return count > 0 and not self._abandoned
        finally:
            capture.release()

    def _play_file(self, path: Path) -> bool:
        with VideoFile(path) as clip:
            self.frames_per_second = clip.frames_per_second
            images = (frame.image for frame in clip.frames())
            for image in self._repeated(images):
                self._put(image)
                if self._abandoned:
                    return False
        return True

    def _repeated(self, images: Iterator[Image]) -> Iterator[Image]:
        """The images of a clip, or with ``loop`` a photo again and again, since opening it takes longer than a frame lasts."""
        first = next(images, None)
        if first is None:
            return
        yield first
        second = next(images, None)
        if second is not None:
            yield second
            yield from images
        while second is None and self._loop:
            yield first

    def _put(self, image: Image) -> None:
        """Hand over a picture; returns when the next one is wanted, or none."""
        self._next.put(image)
        self._wanted.acquire()

    def _open(self) -> Capture:
        if self._source.kind == "stream":
            return open_stream(
                str(self._source.target), self._sockets, follow_redirects=self._follow_redirects, seconds=self._seconds
            )
        if self._source.kind == "pipe":
            return open_standard_input(self._form)
        return _open_camera(self._source, self._form)


class LiveCapture:
    """Reads a live source and keeps only the newest frame.

    A clip plays in real time; frames that are not taken in time are dropped, as for a camera. A camera or stream without a
    picture for `STALL_SECONDS` counts as lost, as does one that reports an error. With ``reconnect`` it is then opened again, and
    frame numbers and timestamps continue.

    Every native call has a time-out, see `_Reader`. Time in which the process is stopped, or the machine suspended, does not
    count. A camera or stream that was lost in that time is opened again.

    Attributes:
        frames: the newest frame; closed at the end of the source.
        is_reconnecting: whether the source is lost and being opened again.

    Args:
        source: source to open; opening begins at once.
        form: size and frame rate, requested from a camera or stated for standard input.
        loop: whether to restart a clip at its end.
        reconnect: seconds for which a lost camera or stream is retried; 0 for no retries.
        follow_redirects: whether a stream may redirect to other hosts.
    """

    def __init__(
        self,
        source: LiveSource,
        form: CaptureFormat = UNSTATED,
        *,
        loop: bool = False,
        reconnect: float = 0.0,
        follow_redirects: bool = False,
    ) -> None:
        _check_form(source, form, loop)
        self._form = form
        self._source, self._loop, self._reconnect, self._follow_redirects = source, loop, reconnect, follow_redirects
        self._clock = AwakeClock()
        self._opening = self._clock.read()
        self._reader = _Reader(source, form, loop=loop, follow_redirects=follow_redirects)
        self._first: Image | None = None
        self._opening_seconds = 0.0
        self.frames: Latest[Frame] = Latest()
        self.is_reconnecting = False
        self._stopping = threading.Event()
        self._error: SourceError | None = None
        self._started = 0.0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @about("source")
    def opened(self, timeout: float) -> bool:
        """Wait up to this many seconds for the first picture; False if it has not arrived, so that the caller can handle events.

        Raises:
            SourceError: the source cannot be opened, or has no picture within `FIRST_PICTURE_SECONDS` in total.
        """
        until = self._clock.read() + timeout
        while self._first is None and not self._reader.finished and (left := until - self._clock.read()) > 0:
            self._first = self._reader.take(min(left, _POLL_SECONDS))
        self._opening_seconds = self._clock.since(self._opening)
        if self._first is not None:
            return True
        if self._reader.finished:
            if self._reader.error is None and self._clock.resumed > self._opening:
                # The connection was lost while this process was stopped.
                self._opening = self._clock.read()
                self._reader = _Reader(self._source, self._form, loop=self._loop, follow_redirects=self._follow_redirects)
                return False
            raise self._reader.error or self._reader.unavailable or _cannot_open(self._source)
        if self._opening_seconds > FIRST_PICTURE_SECONDS:
            raise SourceError(f"{self._source.name}: gives no picture within {FIRST_PICTURE_SECONDS:g} s")
        return False

    @property
    def frames_per_second(self) -> float:
        """Frame rate stated by the source; known once it is open."""
        return self._reader.frames_per_second

    def start(self) -> None:
        """Start capturing from an open source; its time starts now."""
        self._started = self._clock.read_late()  # loading the detector and FFmpeg may have taken time
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        """Open the source and yield its newest frame until the end.

        Raises:
            SourceError: the source cannot be opened, or is lost.
        """
        while not self.opened(_POLL_SECONDS):
            pass
        self.start()
        while not self.frames.finished:
            if (frame := self.frames.take(_POLL_SECONDS)) is not None:
                yield frame
        self.raise_error()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, without time in which the process was stopped or the machine suspended."""
        return self._clock.read() - self._started

    @property
    def dropped(self) -> int:
        """Number of frames that were read but not taken."""
        return self.frames.replaced

    def raise_error(self) -> None:
        """Raise the error that ended the source, if any.

        Raises:
            SourceError: a camera or stream was lost.
        """
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        index, image = 0, self._first
        try:
            while image is not None:
                if self._is_paced and self._stopping.wait(index / self.frames_per_second - self.elapsed):
                    break
                self.frames.put(Frame(image, index, self.elapsed))
                self._check_pace(index)
                index, image = index + 1, self._read()
        except SourceError as error:
            self._error = error
        finally:
            self._reader.abandon()
            self.frames.close()

    @property
    def _is_paced(self) -> bool:
        """Whether pictures are paced by the frame rate, rather than taken as they arrive."""
        return self._source.kind == "file" or (self._source.kind == "pipe" and self._form.frames_per_second is not None)

    def _check_pace(self, index: int) -> None:
        """Warn if standard input sends a clip faster than its frame rate, so that frames are dropped."""
        if self._source.kind == "pipe" and index == _MEASURED_FRAMES and not self._is_paced:
            rate = index / max(self.elapsed, 1e-3)
            if rate > 2 * self.frames_per_second:
                hint = "`fps` plays it at its rate, as does FFmpeg's own option -re"
                warn_once(f"{NAME}: sends {rate:.0f} frames per second, of which some are left out; {hint}")

    def _read(self) -> Image | None:
        """Read the next picture; None at a clip's end, and after `close`."""
        is_file = self._source.kind in ("file", "pipe")
        limit = FIRST_PICTURE_SECONDS if is_file else STALL_SECONDS
        image = self._wait_for_picture(limit)
        if image is not None or self._stopping.is_set() or (is_file and self._reader.finished):
            return image
        if self._reader.error is not None:
            raise self._reader.error
        gone = "gives no more pictures" if self._reader.finished else f"has given no picture for {limit:g} s"
        # A source lost while this process was stopped is always opened again, since servers disconnect inactive clients.
        resumed = self._clock.read() - self._clock.resumed < FIRST_PICTURE_SECONDS
        seconds = 0 if is_file else max(self._reconnect, FIRST_PICTURE_SECONDS if resumed else 0)
        if seconds:
            self.is_reconnecting = True
            image = self._reconnected(seconds)
            self.is_reconnecting = False
            if image is not None or self._stopping.is_set():
                return image
            gone += f", and none within {seconds:g} s of trying to reconnect"
        raise SourceError(f"{self._source.name}: the {self._source.kind} {gone}")

    def _wait_for_picture(self, seconds: float) -> Image | None:
        start = self._clock.read()
        while not self._stopping.is_set() and not self._reader.finished and self._clock.since(start) < seconds:
            image = self._reader.take(_POLL_SECONDS)
            if image is not None:
                return image
        return None

    def _reconnected(self, seconds: float) -> Image | None:
        """Open the source again, with concurrent attempts and a growing back-off; an attempt that hangs does not delay the next.

        Returns the first picture of the first successful attempt, or None after the time-out.
        """
        self._reader.abandon()
        # Sources that took long to open the first time get as much time again, so that attempts do not pile up.
        slowest = max(_MAX_PAUSE, self._opening_seconds)
        timeout = _MAX_CONCURRENT_TRIES * slowest
        start = due = self._clock.read()
        pause = _MIN_PAUSE
        tries: dict[_Reader, float] = {}
        given_up = {self._reader}
        try:
            while self._clock.since(start) < seconds and not self._stopping.wait(0.02):
                now = self._clock.read()
                given_up = {reader for reader in given_up if reader.is_alive}
                if now >= due and len(tries) + len(given_up) < _MAX_CONCURRENT_TRIES:
                    tries[self._retry(timeout)] = now
                    due, pause = now + pause, min(2 * pause, slowest)
                for reader, began in list(tries.items()):
                    image = reader.take(timeout=0)
                    if image is not None:
                        del tries[reader]
                        self._reader = reader
                        return image
                    if reader.error is not None:
                        raise reader.error
                    if reader.finished or self._clock.since(began) > timeout:
                        reader.abandon()
                        del tries[reader]
                        given_up.add(reader)
            return None
        finally:
            for reader in tries:
                reader.abandon()

    def _retry(self, seconds: float) -> _Reader:
        return _Reader(self._source, self._form, follow_redirects=self._follow_redirects, seconds=seconds)

    def close(self) -> None:
        """Stop reading; a read that does not return is abandoned in its daemon thread."""
        self._stopping.set()
        self._reader.abandon()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _check_form(source: LiveSource, form: CaptureFormat, loop: bool) -> None:
    """Check that the kind of source supports the options.

    Raises:
        UsageError: an option is not supported.
    """
    if form.is_given and source.kind not in ("camera", "pipe"):
        parameter = "size" if form.size is not None else "fps"
        noun = "clip" if source.kind == "file" else source.kind
        raise UsageError(f"`{parameter}` applies to cameras and standard input only; a {noun} has its own", parameter=parameter)
    if loop and source.kind == "pipe":
        raise UsageError(f"`loop` applies to clips only; {NAME} can be read only once", parameter="loop")


def _open_camera(source: LiveSource, form: CaptureFormat) -> Capture:
    capture = cv2.VideoCapture(source.target)
    # Buffered frames would only add latency.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if form.is_given and capture.isOpened():
        _request_format(capture, form)
        if _differences(capture, form):  # USB 2 has the bandwidth for large pictures at full rate only as JPEG
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            _request_format(capture, form)
        if instead := _differences(capture, form):
            warn_once(f"{source.title}: gives {' and '.join(instead)}")
    return capture


def _request_format(capture: cv2.VideoCapture, form: CaptureFormat) -> None:
    if form.size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, form.size.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, form.size.height)
    if form.frames_per_second is not None:
        capture.set(cv2.CAP_PROP_FPS, form.frames_per_second)


def _differences(capture: cv2.VideoCapture, form: CaptureFormat) -> list[str]:
    """Settings of the camera that differ from the requested ones, in words."""
    found = []
    width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if form.size is not None and (width, height) != form.size:
        found.append(f"{width}x{height} pixels instead of {form.size}")
    rate, wanted = float(capture.get(cv2.CAP_PROP_FPS)), form.frames_per_second
    if wanted is not None and abs(rate - wanted) > _SAME_RATE * wanted:
        found.append(f"{f'{rate:g}' if rate > 0 else 'an unknown number of'} frames per second instead of {wanted:g}")
    return found


def _cannot_open(source: LiveSource) -> SourceError:
    if source.kind == "camera":
        what = f"camera {source.name} cannot be opened; is it plugged in, free, and are you allowed to use it?"
        return SourceError(what, hint="`source` takes another number, a clip or a URL")
    ends = "the stream ends before its first picture" if source.kind == "stream" else "gives no picture"
    return SourceError(f"{source.name}: {ends}")
