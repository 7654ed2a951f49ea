"""Reading a video file: every frame of it, or of a part of it, in order, none kept."""

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
from emodetect.media.probe import ClipFacts, ClipProbe, SizeWatch, facts_of_pipe, is_playlist, is_whole
from emodetect.queues.interruption import interruptibly
from emodetect.system.assumptions import warn_once
from emodetect.system.child_processes import ended_by, kill_child, start_child
from emodetect.system.native_output import quiet_native_output
from emodetect.text.numbers import MOST_NUMBER, check_number
from emodetect.text.suggestions import meant_for_another
from emodetect.types import Frame, Image

_log = logging.getLogger(__name__)

DEFAULT_RATE = 25.0
"""Frames a second where a file does not say."""

_DELAY = 0.05
"""Pictures that start no more seconds after the sound start with it: its encoder delays sound, that of AAC by 0.02 s."""

_LONGEST_STEP = 1.5 * 3600.0
"""Seconds from a picture to the next, beyond which a container's clock is not believed. At the resolution that is written, FFmpeg
makes no MP4 whose first pictures are more than 5,900 s apart."""

_LONGEST_BACK = 1.0
"""Seconds that the clock may go back between pictures before it counts as set anew; less comes of pictures out of order."""

_NO_TIME = 1e9
"""Seconds from which on a clock's time is none: OpenCV makes such numbers of pictures without a time."""

_MOST_STRETCHED = 8.0
"""How many times as wide as high, or as high as wide, pixels may be. The most that is in use is about 4."""

_NO_TIME_LIMITS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 0, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 0]
"""OpenCV's time limits go on while the process is stopped (Ctrl-Z), and would then end the clip early, without a word."""

_NO_VIDEO = "not a video that can be read, or without frames"

_THREAD = "reader"
"""The name of the threads that wait for OpenCV. One may be left behind in a file that gives no picture."""

_PATIENCE = 60.0
"""How long FFmpeg may take to end once its pictures have, seconds. It takes a few milliseconds."""

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

    @classmethod
    def of(cls, start: float = 0.0, end: float | None = None, every: int = 1) -> Self:
        """The part between two times; without an end it is open.

        Raises:
            UsageError: a number is out of range, or the part ends before it begins.
        """
        check_number("start", start, 0, MOST_NUMBER)
        check_number("every", every, 1, MOST_NUMBER, whole=True)
        if end is None:
            return cls(start, every=every)
        check_number("end", end, 0, math.inf)
        if end <= start:
            raise UsageError(f"`end`: {end:g} s is not after `start`, {start:g} s", parameter="end")
        return cls(start, end, every)

    def __str__(self) -> str:
        """The part in words."""
        end = "" if math.isinf(self.end) else f" to {self.end:g} s"
        return f"from {self.start:g} s{end}" + (f", one frame in {self.every}" if self.every > 1 else "")

    def of_frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The wanted ones of frames that come in order; none is asked for after the end.

        Raises:
            SourceError: there are frames, but none in this part.
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


class Aside(NamedTuple):
    """What gets the frames that a part leaves out.

    Attributes:
        look: is called with each of them, in the reading thread, before a later frame is handed out.
        margin: how many seconds before and after the part such frames are wanted.
    """

    look: Callable[[Frame], None]
    margin: float


class VideoFile:
    """The frames of a video file, as they are shown: upright, and stretched where its pixels are not square.

    What has to be assumed, since the file does not say it or says what cannot be, the logger ``emodetect`` warns of.

    Args:
        media: the file, or one that is open already, which is opened anew.
        part: which of its frames; numbers and timestamps stay those of the whole clip.
        aside: gets the frames that are left out; None where nothing wants them.

    Attributes:
        path: the file.
        file: the same, for FFmpeg, until this is closed.
        is_untimed: whether the file is bare pictures, whose times follow from their rate.
        orientation: how the pictures lie in the file.
        is_turned_oddly: whether that is only the nearest to what the file says.
        frames_per_second: the file's average rate.
        size: width and height of the pictures as they are shown, pixels.
        frame_count: how many frames the file announces; 0 where it does not know. Only `__iter__` tells for sure.

    Raises:
        SourceError: the file is missing, not a video, or holds no frame, or FFmpeg cannot be used.
    """

    def __init__(self, media: Path | MediaFile, part: ClipPart = WHOLE, aside: Aside | None = None) -> None:
        self._part, self._aside = part, aside
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
        with ClipProbe(self.file) as probe:  # which works while OpenCV opens the file
            self._open_capture()
            facts = probe.facts()
            self._read_facts(facts)
            self._sizes = probe.sizes(facts.codec, 1 / self.frames_per_second if facts.is_untimed else None)

    def _open_capture(self) -> None:
        """Open the file with OpenCV, and read its first picture."""
        path = self.path
        with quiet_native_output(), self.file.for_opencv() as address:
            capture = interruptibly(lambda: cv2.VideoCapture(address, cv2.CAP_FFMPEG, _NO_TIME_LIMITS), name=_THREAD)
            self._capture = capture
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # it knows no mirrored pictures
            width, height = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_pixels(path, width, height)
            self._first = interruptibly(capture.read, name=_THREAD) if capture.isOpened() else (False, None)
        if not self._first[0]:
            meant, hint = meant_for_another(path, "video"), None
            if not allows_playlists() and is_playlist(path):
                meant, hint = "", "if it is a playlist, `allow_playlists` reads the files that it names"
            raise SourceError(f"{path}: {_NO_VIDEO}{meant}", hint=hint)
        if self.file.is_photo:  # of which FFmpeg may show one tile
            raise SourceError(f"{path}: is a photo (HEIC or AVIF), not a video; 'emodetect image' reads photos")

    def _read_facts(self, facts: ClipFacts) -> None:
        """Set what the pictures are like, and take them from FFmpeg itself if OpenCV misreads them."""
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
        stored = np.asarray(self._first[1]).shape[1::-1]
        # Of interlaced pictures, OpenCV's own FFmpeg gives black, or what was in memory; it knows the first track only, and not
        # all ways to cut pictures and to store them.
        is_misread = facts.is_interlaced or facts.is_cut_left or facts.is_swapped or facts.size not in (None, stored)
        if is_misread or self.file.video_track:
            self._first = self._convert()
        self.orientation, self.is_turned_oddly = self._find_orientation(facts.matrix)
        height, width = np.asarray(self._first[1]).shape[:2]
        self.size = _shown_size(*self.orientation.size(width, height), self._pixel_shape())
        check_pixels(self.path, *self.size)
        self._start = self._find_start(facts)

    def _open_pipe(self) -> None:
        """Have FFmpeg decode what can be read only once."""
        self._capture = decoder = Decoder(self.file)
        self._first = decoder.read()
        facts = facts_of_pipe(self.file, decoder.messages)
        if not self._first[0] and facts.has_pictures and facts.is_convertible:
            raise SourceError(f"{self.path}: {_NO_VIDEO}{meant_for_another(self.path, 'video')}")
        warn_once(f"{self.path}: is a pipe, so its times count from the first picture")
        self._read_facts(facts)

    def _convert(self, filters: str = "", skip: int = 0) -> tuple[bool, Image | None]:
        """Read on from FFmpeg itself, which filters the pictures; returns the first one after those to skip."""
        # Times that go back, as after another size, cannot be handed on.
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
            self._capture = interruptibly(lambda: cv2.VideoCapture(address, cv2.CAP_FFMPEG, _NO_TIME_LIMITS), name=_THREAD)
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
        """See, once no more pictures come, that FFmpeg has ended by itself.

        Raises:
            SourceError: it was killed, or has more.
        """
        if self._converter is not None:
            try:
                code = self._converter.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                raise SourceError(f"{self.path}: the pictures that FFmpeg converts cannot be read to their end") from None
            if code < 0:
                raise SourceError(f"{self.path}: FFmpeg, which converts its pictures, was ended by {ended_by(-code)}")

    def _find_orientation(self, matrix: Sequence[int] | None) -> tuple[Orientation, bool]:
        """The orientation, and whether it is only the nearest to what the file says."""
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
        """When the first picture is shown, seconds after the file's start."""
        if facts.start is None:
            warn_once(f"{self.path}: FFmpeg does not say when its first picture is shown; times count from that picture")
        elif facts.start > _LONGEST_STEP:
            warn_once(f"{self.path}: its first picture is announced for {facts.start:g} s; times count from that picture")
        elif facts.start > _DELAY:
            return facts.start
        return 0.0

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
        """Read the frames once; timestamps are media time, seconds from the start of the file, and always grow.

        What comes before the part is decoded and left out: seeking in a file is as exact as its index, this always is.

        Where frames are missing since the file is damaged, the logger ``emodetect`` warns at the end.

        Raises:
            SourceError: the part holds no frame.
        """
        count = yield from self.frames()
        # OpenCV takes damage for the end, or leaves frames out, without a word; but headers are wrong without damage, too.
        if count is not None and count < self.frame_count and self.file.is_regular and not is_whole(self.file, count):
            announced = f"{count} of the {self.frame_count} frames that it announces were read"
            _log.warning("%s: is damaged; %s", self.path, announced)

    def frames(self) -> Generator[Frame, None, int | None]:
        """Read the frames once, without a look for damage.

        Returns:
            How many frames the file has; None if the part ends before.

        Raises:
            SourceError: the part holds no frame.
        """
        index, reached, ok = 0, 0, True
        clock = _Clock(self.path, self._start, self._container_time(0), 1 / self.frames_per_second)
        time, passed, here = round(self._start, 6), 0.0, self._container_time(0)
        margin = self._aside.margin if self._aside else 0.0
        while ok and time < self._part.end + margin:
            if time >= self._part.start - margin:
                if index and self._sizes is not None and self._sizes.changes_by(max(passed, index / self.frames_per_second)):
                    self._fit(index)
                is_inside = self._part.start <= time < self._part.end
                is_wanted = is_inside and reached % self._part.every == 0
                if is_wanted or self._aside:
                    found, image = self._capture.retrieve() if index else self._first
                    if not found:
                        break
                    frame = Frame(self._shown(np.asarray(image, np.uint8)), index, time)
                    if is_wanted:
                        yield frame
                    elif self._aside:
                        self._aside.look(frame)
                reached += is_inside
            index += 1
            ok = self._capture.grab()
            if ok and not self._knows_rate:
                warn_once(f"{self.path}: does not say its rate; {self.frames_per_second:g} frames per second are assumed")
            before, here = here, self._container_time(index)
            passed += max(0.0, here - before)
            later = round(time + 1e-6, 6)  # of pictures that are closer each still has a time of its own
            time = max(later, round(clock.next(here) if ok else clock.after(), 6))
        if not ok:
            self._check_converter()
        if not reached:
            limit = "" if ok and index else f"; it {'begins' if ok else 'ends'} at {time:.2f} s"
            raise SourceError(f"{self.path}: has no frame {self._part}{limit}")
        return None if ok else index

    def _fit(self, index: int) -> None:
        """Have pictures of other sizes fitted into the first one's from this one on: OpenCV would stretch them."""
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
        """When the picture that was decoded last is shown by the container's clock, seconds; NaN where it has no time."""
        if self.is_untimed:
            return index / self.frames_per_second
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return seconds + self._shift if seconds or not index else math.nan

    def _pixel_shape(self) -> float:
        """The width of the shown pictures' pixels as a multiple of their height."""
        across, down = (self._capture.get(side) for side in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        if across <= 0 or down <= 0:
            return 1.0
        shape = down / across if self.orientation.is_transposed else across / down
        if not 1 / _MOST_STRETCHED <= shape <= _MOST_STRETCHED:
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
        """Let go of the file; may be called twice."""
        self._end_converter()
        if self._sizes is not None:
            self._sizes.close()
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Clock:
    """Media time of one picture after the other, from a container's clock that may stand still, go back or jump.

    Args:
        path: the file, for warnings.
        start: the first picture's time, seconds.
        clock: the same by the container's clock.
        step: how long a picture is shown on average, seconds.
    """

    def __init__(self, path: Path, start: float, clock: float, step: float) -> None:
        self._path, self._time, self._step = path, start, step
        self._shift = start - clock

    def next(self, clock: float) -> float:
        """The next picture's time."""
        is_known = math.isfinite(clock) and abs(clock) < _NO_TIME
        step = clock + self._shift - self._time if is_known else 0.0
        if not -_LONGEST_BACK <= step <= _LONGEST_STEP:
            way = f"{step:.0f} s ahead" if step > 0 else f"{-step:.0f} s back"
            where = f"after the picture at {self._time:.2f} s"
            warn_once(f"{self._path}: its clock jumps {way} {where}; the pictures are taken to follow at the usual distance")
            self._shift += self._step - step
            step = self._step
        # Where the clock stands still, as in files without times, the average rate counts.
        self._time += step if step > 0 else self._step
        return self._time

    def after(self) -> float:
        """When the last picture's time is over."""
        return self._time + self._step


def _shown_size(width: int, height: int, pixel_shape: float) -> tuple[int, int]:
    """Width and height once the pixels are square: the shorter of their sides is stretched, so that nothing is lost."""
    if abs(pixel_shape - 1) < _SQUARE:
        return width, height
    return (round(width * pixel_shape), height) if pixel_shape > 1 else (width, round(height / pixel_shape))
