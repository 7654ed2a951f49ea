"""Video files: every frame of a clip, or of a clip range, in order, one in memory at a time."""

from __future__ import annotations

import logging
import math
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.errors import OutputError, SourceError, UsageError
from emodetect.media.capture_options import capture_options
from emodetect.media.decoder import Decoder
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.letterbox import letterbox_filter, letterboxed
from emodetect.media.media_file import MediaFile
from emodetect.media.orientation import Orientation
from emodetect.media.pixel_limit import check_pixels
from emodetect.media.playlists import allows_playlists
from emodetect.media.probe import ClipFacts, ClipProbe, SizeWatch, facts_of_pipe, is_complete, is_playlist
from emodetect.queues.interruption import interruptibly
from emodetect.sources.picture_size import TIFF_HEADERS
from emodetect.sources.several_pictures import warn_of_others
from emodetect.system.assumptions import warn_once
from emodetect.system.child_processes import ended_by, kill_child, start_child
from emodetect.system.native_output import quiet_native_output
from emodetect.text.numbers import MAX_NUMBER, check_number
from emodetect.text.suggestions import suggest_other_command
from emodetect.types import Frame, Image

_log = logging.getLogger(__name__)

DEFAULT_RATE = 25.0
"""Frame rate of a file that does not state one, fps."""

_DELAY = 0.05
"""Offset, seconds, up to which the pictures start with the sound, since encoders delay the sound; AAC by 0.02 s."""

_MAX_STEP = 1.5 * 3600.0
"""Maximum gap between two timestamps, seconds; a larger one is an error of the container. At our time base, FFmpeg writes no MP4
whose first pictures are more than 5,900 s apart."""

_MAX_BACKWARD_STEP = 1.0
"""Decrease of the timestamps, seconds, above which they count as reset; smaller ones come from reordered pictures."""

_NO_TIME = 1e9
"""Timestamp, seconds, from which on it is invalid; OpenCV returns such numbers for pictures without one."""

_MAX_STRETCH = 8.0
"""Maximum pixel aspect ratio, or its inverse. The largest one in use is about 4."""

_NO_TIME_LIMITS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 0, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 0]
"""OpenCV's time-outs run on while the process is stopped (Ctrl-Z), and would then silently end the clip early."""

_REPEATING = {"theora"}
"""Codecs in which an empty packet repeats a picture. OpenCV takes it for the end of the clip."""

_NO_VIDEO = "not a video that can be read, or without frames"

_THREAD = "reader"
"""Name of the threads that wait for OpenCV. One is left behind if the file yields no picture."""

_EXIT_SECONDS = 60.0
"""Time-out for FFmpeg to exit after its last picture, seconds. It takes a few milliseconds."""

_SQUARE = 0.02
"""Relative tolerance of square pixels; small deviations are often rounding errors."""


@dataclass(frozen=True)
class ClipPart:
    """A clip range, and a step.

    Attributes:
        start: first timestamp of the range, seconds of media time.
        end: timestamp before which the range ends.
        every: take every N-th frame of the range, beginning with the first.
    """

    start: float = 0.0
    end: float = math.inf
    every: int = 1

    @classmethod
    def of(cls, start: float = 0.0, end: float | None = None, every: int = 1) -> Self:
        """Create from options; without an end, the range extends to the end of the clip.

        Raises:
            UsageError: a number is out of range, or the range ends before it begins.
        """
        check_number("start", start, 0, MAX_NUMBER)
        check_number("every", every, 1, MAX_NUMBER, whole=True)
        if end is None:
            return cls(start, every=every)
        check_number("end", end, 0, math.inf)
        if end <= start:
            raise UsageError(f"`end`: {end:g} s is not after `start`, {start:g} s", parameter="end")
        return cls(start, end, every)

    def __str__(self) -> str:
        """Describe the range in words."""
        end = "" if math.isinf(self.end) else f" to {self.end:g} s"
        return f"from {self.start:g} s{end}" + (f", one frame in {self.every}" if self.every > 1 else "")

    def of_frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Select the frames of the range from frames in order; stops reading at its end.

        Raises:
            SourceError: there are frames, but none in the range.
        """
        reached, time = 0, None
        for frame in frames:
            time = frame.timestamp
            if time >= self.end:
                break
            if time >= self.start:
                if reached % self.every == 0:
                    yield frame
                reached += 1
        if not reached and time is not None:
            raise SourceError(f"the source has no frame {self}; its last one is at {time:.2f} s")


WHOLE = ClipPart()


class SkippedFrames(NamedTuple):
    """Receiver of the frames outside a clip range.

    Attributes:
        receive: called with each of them, in the reading thread, before later frames are yielded.
        margin: seconds before and after the range for which it is called.
    """

    receive: Callable[[Frame], None]
    margin: float


class VideoFile:
    """The frames of a video file as displayed: upright, and with square pixels.

    The logger ``emodetect`` warns of properties that are assumed because the file does not state them, or states invalid values.

    Args:
        media: the file, or an open one, which is opened again.
        part: clip range; frame numbers and timestamps remain those of the whole clip.
        skipped: receives the frames outside the range; None for no receiver.
        threads: threads of the decoder; None for FFmpeg's choice.

    Attributes:
        path: the file.
        file: the file for FFmpeg, until `close`.
        is_untimed: whether the file is raw video, whose timestamps follow from its frame rate.
        orientation: orientation of the stored pictures.
        is_turned_oddly: whether the stated orientation is no multiple of a quarter turn, and was rounded.
        frames_per_second: average frame rate.
        size: width and height of the displayed pictures, pixels.
        frame_count: number of frames stated by the file; 0 if unknown. Only reading them gives the exact number.

    Raises:
        SourceError: the file is missing, no video, or has no frame, or FFmpeg cannot be used.
    """

    def __init__(
        self, media: Path | MediaFile, part: ClipPart = WHOLE, skipped: SkippedFrames | None = None, *, threads: int | None = None
    ) -> None:
        self._part, self._skipped = part, skipped
        self._settings = [*_NO_TIME_LIMITS, *([cv2.CAP_PROP_N_THREADS, threads] if threads is not None else [])]
        self._capture: cv2.VideoCapture | Decoder = cv2.VideoCapture()
        self._converter: subprocess.Popen[bytes] | None = None
        self._sizes: SizeWatch | None = None
        self._shift = 0.0
        self.file = MediaFile(media)
        self.path = self.file.path
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        try:
            ffmpeg_program()
        except OutputError as error:
            raise SourceError(f"{self.path}: cannot be read: {error}") from error
        if not self.file.is_regular:
            self._open_pipe()
            return
        with ClipProbe(self.file) as probe:  # runs while OpenCV opens the file
            try:
                self._open_capture()
                facts = probe.facts()
            except SourceError:
                facts = probe.facts()
                if facts.codec not in _REPEATING:
                    raise
            self._read_facts(facts)
            if self.file.read(4).startswith(TIFF_HEADERS):  # FFmpeg reads the first page
                warn_of_others(self.path, self.file.read())
            self._sizes = probe.sizes(facts.codec, 1 / self.frames_per_second if facts.is_untimed else None)

    def _open_capture(self) -> None:
        """Open the file with OpenCV, and read its first picture."""
        path = self.path
        with quiet_native_output(), self.file.for_opencv() as address:
            capture = interruptibly(lambda: cv2.VideoCapture(address, cv2.CAP_FFMPEG, self._settings), name=_THREAD)
            self._capture = capture
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # it does not support mirrored pictures
            width, height = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_pixels(path, width, height)
            self._first = interruptibly(capture.read, name=_THREAD) if capture.isOpened() else (False, None)
        if not self._first[0]:
            meant, hint = suggest_other_command(path, "video"), None
            if not allows_playlists() and is_playlist(path):
                meant, hint = "", "if it is a playlist, `allow_playlists` reads the files that it names"
            raise SourceError(f"{path}: {_NO_VIDEO}{meant}", hint=hint)
        if self.file.is_photo:  # FFmpeg may return a single tile of it
            raise SourceError(f"{path}: is a photo (HEIC or AVIF), not a video; 'emodetect image' reads photos")

    def _read_facts(self, facts: ClipFacts) -> None:
        """Set the properties of the pictures, and decode with the FFmpeg program if OpenCV misreads them."""
        if not facts.is_convertible:
            raise SourceError(f"{self.path}: its colors cannot be converted; convert the clip to YUV with BT.709 first")
        self.is_untimed = facts.is_untimed
        self._knows_rate = not facts.is_untimed or facts.rate is not None
        rate = float(facts.rate or (0 if facts.is_untimed else self._capture.get(cv2.CAP_PROP_FPS)))
        self.frames_per_second = rate if 0 < rate <= 1000 else DEFAULT_RATE
        self.frame_count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._filters = "yadif=deint=interlaced," if facts.is_interlaced else ""
        if not facts.has_pictures:
            raise SourceError(f"{self.path}: holds a cover picture, but no video")
        stored = np.asarray(self._first[1]).shape[1::-1] if self._first[0] else None
        # Interlaced pictures are black or garbage in OpenCV's built-in FFmpeg. It also supports only the first track, and not all
        # kinds of cropping and storage.
        is_misread = (
            facts.is_interlaced
            or facts.is_cut_left
            or facts.is_swapped
            or facts.size not in (None, stored)
            or facts.codec in _REPEATING
        )
        if is_misread or facts.is_hdr or self.file.video_track:
            self._first = self._convert()
        self.orientation, self.is_turned_oddly = self._find_orientation(facts.matrix)
        height, width = np.asarray(self._first[1]).shape[:2]
        self.size = _shown_size(*self.orientation.size(width, height), self._pixel_shape())
        check_pixels(self.path, *self.size)
        self._start = self._find_start(facts)

    def _open_pipe(self) -> None:
        """Open a clip that can be read only once."""
        self._capture = decoder = Decoder(str(self.path), self.file.input("-copyts"), standard_input=self.file.standard_input)
        self._first = decoder.read()
        facts = facts_of_pipe(self.file, decoder.messages)
        if not self._first[0] and facts.has_pictures and facts.is_convertible:
            hint = "save an MP4 or MOV whose index is at its end as a file" if "partial file" in decoder.messages else None
            raise SourceError(f"{self.path}: {_NO_VIDEO}{suggest_other_command(self.path, 'video')}", hint=hint)
        warn_once(f"{self.path}: is a pipe, so its times count from the first picture")
        self._read_facts(facts)

    def _convert(self, filters: str = "", skip: int = 0) -> tuple[bool, Image | None]:
        """Continue with the FFmpeg program, which filters the pictures; returns the first picture after those to skip."""
        # Decreasing timestamps, as after a change of the size, cannot be passed on.
        step = f"if(gt(PTS,PREV_INPTS),PTS-PREV_INPTS,{1 / self.frames_per_second}/TB)"
        # fmt: off
        command = [
            ffmpeg_program(), "-nostdin", "-loglevel", "quiet", "-copyts", "-noautorotate", *self.file.input(),
            *self.file.map_video(), "-vf", f"{self._filters}{filters}format=bgr24", "-c:v", "rawvideo",
            "-fps_mode", "passthrough", "-enc_time_base", "1/90000",
            "-bsf:v", f"setts=ts='if(N,PREV_OUTPTS+{step},PTS)'", "-f", "nut", "pipe:1",
        ]
        # fmt: on
        self._end_converter()
        try:
            self._converter = start_child(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, descriptors=self.file.descriptors
            )
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: FFmpeg cannot be started ({error.strerror or error})") from error
        assert self._converter.stdout is not None
        with quiet_native_output(), capture_options("protocol_whitelist;pipe|format_whitelist;nut"):
            address = f"pipe:{self._converter.stdout.fileno()}"
            self._capture = interruptibly(lambda: cv2.VideoCapture(address, cv2.CAP_FFMPEG, self._settings), name=_THREAD)
            found = interruptibly(lambda: all(self._capture.grab() for _ in range(skip)) and self._capture.read(), name=_THREAD)
        if not found or not found[0]:
            raise SourceError(f"{self.path}: FFmpeg cannot convert its pictures")
        return found

    def _end_converter(self) -> None:
        if self._converter is not None:
            kill_child(self._converter)
        if isinstance(self._capture, Decoder):
            self._capture.release()
        # Not released, since another thread may still wait in it; it goes with the last that knows it.
        self._capture = cv2.VideoCapture()
        if self._converter is not None:
            self._converter.communicate()
            self._converter = None

    def _check_converter(self) -> None:
        """Check, after the last picture, that FFmpeg has exited by itself.

        Raises:
            SourceError: FFmpeg was killed, or is still sending.
        """
        if self._converter is not None:
            try:
                code = self._converter.wait(_EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                raise SourceError(f"{self.path}: the pictures that FFmpeg converts cannot be read to their end") from None
            if code < 0:
                raise SourceError(f"{self.path}: FFmpeg, which converts its pictures, was ended by {ended_by(-code)}")

    def _find_orientation(self, matrix: Sequence[int] | None) -> tuple[Orientation, bool]:
        """Orientation, and whether it was rounded to a multiple of a quarter turn."""
        if matrix is None:
            warn_once(f"{self.path}: FFmpeg does not say how its pictures lie; they are read as they are stored")
            return Orientation(), False
        try:
            orientation, off = Orientation.from_matrix(matrix)
        except ValueError:
            warn_once(f"{self.path}: its display matrix makes no sense; pictures are read as they are stored")
            return Orientation(), True
        if off:
            warn_once(f"{self.path}: is to be turned by {off:.0f} degrees beside quarter turns; those degrees are left out")
        return orientation, off > 0

    def _find_start(self, facts: ClipFacts) -> float:
        """Timestamp of the first picture, seconds after the start of the file."""
        if facts.start is None:
            warn_once(f"{self.path}: FFmpeg does not say when its first picture is shown; times count from that picture")
        elif facts.start > _MAX_STEP:
            warn_once(f"{self.path}: its first picture is announced for {facts.start:g} s; times count from that picture")
        elif facts.start > _DELAY:
            return facts.start
        return 0.0

    @property
    def seconds(self) -> float:
        """Timestamp of the end of the pictures, from the stated number of frames; 0 if unknown."""
        return self._start + self.frame_count / self.frames_per_second if self.frame_count else 0.0

    @property
    def expected_count(self) -> int:
        """Expected number of frames in the range, from the stated number of frames; 0 if unknown."""
        first, last = (
            math.ceil(min(max(0.0, time - self._start) * self.frames_per_second, self.frame_count))
            for time in (self._part.start, self._part.end)
        )
        return math.ceil((last - first) / self._part.every)

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames once. Timestamps are media time, seconds from the start of the file, and strictly increase.

        Frames before the range are decoded and skipped. This is always exact, while seeking depends on the index of the file.

        If frames are missing because the file is damaged, the logger ``emodetect`` warns at the end.

        Raises:
            SourceError: the range contains no frame.
        """
        count = yield from self.frames()
        # OpenCV silently takes damage for the end, or skips frames. But stated numbers are wrong in undamaged files, too.
        if count is not None and count < self.frame_count and self.file.is_regular and not is_complete(self.file, count):
            announced = f"{count} of the {self.frame_count} frames that it announces were read"
            _log.warning("%s: is damaged; %s", self.path, announced)

    def frames(self) -> Generator[Frame, None, int | None]:
        """Read the frames once, without the check for damage.

        Returns:
            Number of frames in the file; None if the range ends before it.

        Raises:
            SourceError: the range contains no frame.
        """
        index, reached, ok = 0, 0, True
        clock = _Clock(self.path, self._start, self._container_time(0), 1 / self.frames_per_second)
        time, passed, here = round(self._start, 6), 0.0, self._container_time(0)
        margin = self._skipped.margin if self._skipped else 0.0
        while ok and time < self._part.end + margin:
            if time >= self._part.start - margin:
                if index and self._sizes is not None and self._sizes.changes_by(max(passed, index / self.frames_per_second)):
                    self._fit(index)
                is_inside = self._part.start <= time < self._part.end
                is_wanted = is_inside and reached % self._part.every == 0
                if is_wanted or self._skipped:
                    found, image = self._capture.retrieve() if index else self._first
                    if not found:
                        break
                    frame = Frame(self._shown(np.asarray(image, np.uint8)), index, time)
                    if is_wanted:
                        yield frame
                    elif self._skipped:
                        self._skipped.receive(frame)
                reached += is_inside
            index += 1
            ok = self._capture.grab()
            if ok and not self._knows_rate:
                warn_once(f"{self.path}: does not say its rate; {self.frames_per_second:g} frames per second are assumed")
            before, here = here, self._container_time(index)
            passed += max(0.0, here - before)
            later = round(time + 1e-6, 6)  # timestamps stay distinct even if the pictures are closer
            time = max(later, round(clock.next(here) if ok else clock.after(), 6))
        if not ok:
            self._check_converter()
        if not reached:
            limit = "" if ok and index else f"; it {'begins' if ok else 'ends'} at {time:.2f} s"
            raise SourceError(f"{self.path}: has no frame {self._part}{limit}")
        return None if ok else index

    def _fit(self, index: int) -> None:
        """Letterbox pictures to the size of the first one from this one on; OpenCV would stretch them."""
        assert self._sizes is not None
        self._warn_of_sizes(self._sizes.first, self._sizes.other)
        self._sizes.close()
        self._sizes = None
        time = self._container_time(index)
        self._first = self._convert(f"{letterbox_filter(self.orientation.size(*self.size))},", index)
        self._shift += time - self._container_time(index)

    def _warn_of_sizes(self, first: str, other: str) -> None:
        warn_once(
            f"{self.path}: its pictures change from {first} to {other}; they are fitted into the first size, with black bars"
        )

    def _container_time(self, index: int) -> float:
        """Timestamp of the last decoded picture in the container, seconds; NaN if it has none."""
        if self.is_untimed:
            return index / self.frames_per_second
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return seconds + self._shift if seconds or not index else math.nan

    def _pixel_shape(self) -> float:
        """Pixel aspect ratio of the displayed pictures."""
        across, down = (self._capture.get(side) for side in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        if across <= 0 or down <= 0:
            return 1.0
        shape = down / across if self.orientation.is_transposed else across / down
        if not 1 / _MAX_STRETCH <= shape <= _MAX_STRETCH:
            times = max(shape, 1 / shape)
            warn_once(f"{self.path}: says that its pixels are {times:g} times as long one way as the other; they count as square")
            return 1.0
        return shape

    def _shown(self, image: Image) -> Image:
        if self.file.is_regular:
            return self._stretched(self.orientation.upright(image))
        height, width = image.shape[:2]
        if (width, height) != self.size:
            self._warn_of_sizes(f"{self.size[0]}x{self.size[1]}", f"{width}x{height}")
        return letterboxed(image, self.size)

    def _stretched(self, image: Image) -> Image:
        if image.shape[1::-1] == self.size:
            return image
        return np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._end_converter()
        if self._sizes is not None:
            self._sizes.close()
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Clock:
    """Media time of consecutive pictures, from container timestamps that may repeat, decrease or jump.

    Args:
        path: the file, for warnings.
        start: timestamp of the first picture, seconds.
        clock: its timestamp in the container, seconds.
        step: average duration of a picture, seconds.
    """

    def __init__(self, path: Path, start: float, clock: float, step: float) -> None:
        self._path, self._time, self._step = path, start, step
        self._shift = start - clock

    def next(self, clock: float) -> float:
        """Timestamp of the next picture."""
        is_known = math.isfinite(clock) and abs(clock) < _NO_TIME
        step = clock + self._shift - self._time if is_known else 0.0
        if not -_MAX_BACKWARD_STEP <= step <= _MAX_STEP:
            way = f"{step:.0f} s ahead" if step > 0 else f"{-step:.0f} s back"
            where = f"after the picture at {self._time:.2f} s"
            warn_once(f"{self._path}: its clock jumps {way} {where}; the pictures are taken to follow at the usual distance")
            self._shift += self._step - step
            step = self._step
        # Repeated timestamps, as in files without any, are replaced according to the average frame rate.
        self._time += step if step > 0 else self._step
        return self._time

    def after(self) -> float:
        """End of the last picture."""
        return self._time + self._step


def _shown_size(width: int, height: int, pixel_shape: float) -> tuple[int, int]:
    """Width and height with square pixels; the image is enlarged along one axis, so that no detail is lost."""
    if abs(pixel_shape - 1) < _SQUARE:
        return width, height
    return (round(width * pixel_shape), height) if pixel_shape > 1 else (width, round(height / pixel_shape))
