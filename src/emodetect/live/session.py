"""Live: capture, tracking and classifying in threads of their own, the picture on the main thread.

Every captured picture is shown. A slow tracker makes boxes a little less exact, a slow backend makes labels late; neither delays
the picture. Where faces are hidden in what is saved, only pictures in which they were looked for are shown.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from emodetect.backends.base import EmotionBackend
from emodetect.drawing.anonymize import anonymize
from emodetect.drawing.overlay import Layout, Strip, Style, draw, mirrored, resized
from emodetect.drawing.phrases import Phrase
from emodetect.emotions.scorer import readings
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.emotions.stable_labels import SteadyLabels
from emodetect.errors import OutputError
from emodetect.faces.boxes import crop
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import Outlook
from emodetect.live.classifier import Classifier, Crops
from emodetect.live.hud import draw_help, draw_marks, place_marks
from emodetect.live.view import ESCAPE, Command, View, command_of
from emodetect.live.window import Window
from emodetect.media.image_file import write_picture
from emodetect.queues.latest import Latest
from emodetect.sinks.base import Sink
from emodetect.sinks.recorder import Recorder
from emodetect.sources.camera import LiveCapture
from emodetect.stopwatch import Stopwatch
from emodetect.system.output_files import remove_if_empty, reserve_name
from emodetect.types import Box, Frame, FrameResult, Image

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.01
"""How long the main thread waits for a picture before it looks at keys and signals again."""

_REDRAW_SECONDS = 0.25
"""How often the picture is drawn again while no new one comes: messages come and go."""

_REPEAT_SECONDS = 0.15
"""A key that comes again within this time is held down, and obeyed once, unless it changes a number step by step."""

_HINT_SECONDS = 6.0
"""How long the window says at first which key shows the keys."""

_NOBODY_SECONDS = 2.0
"""How long nobody is in the picture before the window says so."""

_STEPWISE = {Command.LARGER_FACES, Command.SMALLER_FACES, Command.LESS_SMOOTHING, Command.MORE_SMOOTHING}

_FACE_SIZES = {Command.LARGER_FACES, Command.SMALLER_FACES}

_TRACKING_SECONDS = 0.008
"""How long a picture waits for its own faces: most are looked for in less, and a quarter of a frame's time is not seen as
delay. After that the faces of an earlier picture are moved on, which at a face's width a second is off by a thirtieth of the
width a frame if the face turns round, and by nothing if it goes on."""


@dataclass(frozen=True)
class _Tracked:
    """What was found in a frame, and what is to be expected of the next ones."""

    result: FrameResult
    outlook: Outlook = Outlook()
    frame: Frame | None = None

    def at(self, frame: Frame) -> FrameResult:
        """The same faces where they should be in this frame."""
        height, width = frame.image.shape[:2]
        boxes = {face.track_id: face.box for face in self.outlook.faces(frame.timestamp, (width, height))}
        moved = tuple(replace(r, box=boxes[r.track_id]) for r in self.result.readings if r.track_id in boxes)
        # What may be a face, too, must be hidden where that is asked for: where it was, and where a known one is now.
        return FrameResult(frame.index, frame.timestamp, moved, self.result.seen)


@dataclass
class LiveStatistics:
    """What a live session did.

    Attributes:
        captured: frames read from the source.
        tracked: frames in which faces were looked for.
        shown: frames handed to the window, or to the recording where there is no window.
        classified: batches that the backends answered.
        pictures: pictures that the user has saved.
        faces: faces that were followed, frame by frame.
        seconds: how long it took.
    """

    captured: int = 0
    tracked: int = 0
    shown: int = 0
    classified: int = 0
    pictures: int = 0
    faces: int = 0
    seconds: float = 0.0


@dataclass
class _Pace:
    """Frames a second over the last second, and the last frame's age when it was on the screen."""

    times: deque[float] = field(default_factory=deque)
    latency: float = 0.0

    def tick(self, now: float, latency: float) -> None:
        self.times.append(now)
        while now - self.times[0] > 1.0:
            self.times.popleft()
        self.latency = latency

    def in_words(self, style: Style) -> str:
        """What there is to say of it."""
        span = self.times[-1] - self.times[0] if len(self.times) > 1 else 0.0
        rate = (len(self.times) - 1) / span if span > 0 else 0.0
        return f"{style.say(Phrase.FRAMES_A_SECOND, rate=round(rate))}, {1000 * self.latency:.0f} ms"


class LiveSession:
    """Shows a live source with the emotions of the faces in it, until the source or the user ends it.

    Args:
        capture: where frames come from; opened and not started yet.
        locator: finds and follows faces.
        backends: what makes each backend that can be chosen; the first is loaded at the start, in a thread of its own.
        anonymize_by: how faces are hidden in pictures that the user saves, as for `drawing.anonymize`; None for not at all.
        view: how the window looks at first, the smallest face and the smoothing.
        uncertain_below: confidence under which a reading is marked uncertain; None for the backend's own threshold.
        records: gets every tracked frame, in the tracking thread.
        recorder: gets every shown frame.
        window: shows the picture; None for none.
        snapshots: the folder for pictures that the user saves.
        duration: seconds after which it ends; None for never.
        style: words and letters of the window; None for English.
    """

    def __init__(
        self,
        capture: LiveCapture,
        locator: FaceLocator,
        backends: Sequence[Callable[[], EmotionBackend]],
        *,
        view: View,
        anonymize_by: str | None = None,
        uncertain_below: float | None = None,
        records: Sink | None = None,
        recorder: Recorder | None = None,
        window: Window | None = None,
        snapshots: Path = Path(),
        duration: float | None = None,
        style: Style | None = None,
    ) -> None:
        self._capture, self._locator, self._smoother = capture, locator, ScoreSmoother(view.smoothing)
        self._records, self._recorder, self._window = records, recorder, window
        self._view, self._snapshots, self._duration = view, snapshots, duration
        if recorder is not None:
            recorder.complain = partial(self._complain, "recording")
        self._anonymize_by = anonymize_by
        self._steady, self._strip, self._layout, self._style = SteadyLabels(), Strip(), Layout(), style or Style()
        self._to_track = capture.frames.branch()
        self._tracked: Latest[_Tracked] = Latest()
        self._newest = _Tracked(FrameResult(-1, 0.0, ()))
        self._errors: list[BaseException] = []
        self._stopping = threading.Event()
        self._tracking = threading.Thread(target=self._track, name="track", daemon=True)
        self._classifier = Classifier(
            backends, self._smoother, uncertain_below=uncertain_below, fail=self._errors.append, say=view.say
        )
        self._savers = ThreadPoolExecutor(1, "save")
        self._pace = _Pace()
        self._picture: tuple[Frame, FrameResult] | None = None
        self._drawn = 0.0
        self._somebody = 0.0
        self._pressed: dict[str, float] = {}
        self.statistics = LiveStatistics()

    def run(self) -> LiveStatistics:
        """Run until the end of the source, the time limit, or the user's wish.

        Raises:
            EmodetectError: the source, the backend or an output failed.
        """
        self._classifier.start()
        self._capture.start()
        self._tracking.start()
        while not self._errors:
            frame = self._capture.frames.take(_POLL_SECONDS)
            if frame is not None:
                self._show(frame)
            elif self._capture.frames.finished:
                self._tracking.join()
                break
            elif time.monotonic() - self._drawn >= _REDRAW_SECONDS:
                self._draw()
            if self._window is not None and not self._obey(self._window):
                break
            if frame is not None and self._picture is not None:
                now = self._capture.elapsed
                self._pace.tick(now, now - self._picture[0].timestamp)
            if self._duration is not None and self._capture.elapsed >= self._duration:
                break
        self.statistics.seconds = self._capture.elapsed
        self.close()
        for error in self._errors:
            raise error
        self._capture.raise_error()
        self.statistics.classified = self._classifier.classified
        return self.statistics

    def _show(self, frame: Frame) -> None:
        self.statistics.captured = frame.index + 1
        if self._view.paused and self._picture is not None:
            still, result = self._picture
            self._picture = replace(still, timestamp=frame.timestamp), replace(result, timestamp=frame.timestamp)
        else:
            newest = self._newest_result(frame)
            if self._anonymize_by is not None:
                # What is saved must have been looked at: the picture that was tracked last takes the place of a newer one.
                if newest.frame is None or (self._picture is not None and newest.frame.index <= self._picture[0].index):
                    return
                frame = newest.frame
            self._picture = frame, self._steady.update(newest.at(frame))
            self._strip.update(self._picture[1])
        if self._picture[1].readings:
            self._somebody = self._picture[0].timestamp
        if self._recorder is not None:
            self._recorder.write(*self._picture)
        self._draw()
        self.statistics.shown += 1

    def _draw(self) -> None:
        """Show the picture with all there is to tell now."""
        self._drawn = time.monotonic()
        if self._window is not None and self._picture is not None:
            self._window.show(self._decorated(*self._picture))

    def _newest_result(self, frame: Frame) -> _Tracked:
        """What was tracked last: this very frame's faces, if they come at once."""
        until = time.monotonic() + _TRACKING_SECONDS
        while self._newest.result.index < frame.index:
            tracked = self._tracked.take(max(0.0, until - time.monotonic()))
            if tracked is None:
                break
            self._newest = tracked
        return self._newest

    def _annotated(
        self,
        frame: Frame,
        result: FrameResult,
        *,
        status: Sequence[str] = (),
        banner: Sequence[str] = (),
        marks: Sequence[Box] = (),
    ) -> Image:
        """The picture with its faces, as the user wants to see them."""
        view, image, faces = self._view, frame.image, list(result.readings)
        if view.mirror:
            image = np.ascontiguousarray(image[:, ::-1])
            faces = mirrored(faces, image.shape[1])
        return draw(
            image,
            faces,
            bars=view.bars,
            labels=view.labels,
            status=status,
            banner=banner,
            strip=self._strip if view.strip else None,
            style=self._style,
            layout=self._layout,
            marks=marks,
        )

    def _decorated(self, frame: Frame, result: FrameResult) -> Image:
        """The picture with its faces and what else there is to tell."""
        frame, result = self._fitted(frame, result)
        view, style, loading = self._view, self._style, self._classifier.loading
        is_away = self._capture.is_reconnecting
        news = [
            style.say(Phrase.RECONNECTING) if is_away else "",
            style.say(Phrase.LOADING, backend=loading) if loading else "",
            style.say(Phrase.PAUSED) if view.paused else "",
            *view.notices(style),
        ]
        is_recording = self._recorder is not None and self._recorder.path is not None
        size = frame.image.shape[1], frame.image.shape[0]
        marks = place_marks(size, style, recording=is_recording, logging=self._records is not None)
        if view.help:  # which stands over all of it
            image = self._annotated(frame, result)
        else:
            status = self._status(frame.timestamp, is_away=is_away)
            image = self._annotated(frame, result, status=status, banner=[text for text in news if text], marks=[*marks.values()])
        draw_marks(image, style, marks)
        if view.help:
            draw_help(image, style)
        return image

    def _fitted(self, frame: Frame, result: FrameResult) -> tuple[Frame, FrameResult]:
        """The same as large as the window shows it, so that letters have the size on the screen that they are drawn in."""
        size = frame.image.shape[1], frame.image.shape[0]
        room = self._window.room_for(size) if self._window is not None else size
        if room == size:
            return frame, result
        image = np.asarray(cv2.resize(frame.image, room, interpolation=cv2.INTER_AREA), np.uint8)
        return replace(frame, image=image), replace(result, readings=tuple(resized(result.readings, room[0] / size[0])))

    def _status(self, now: float, *, is_away: bool) -> list[str]:
        """The lines in the corner: the numbers and what they are of, and for a while how to see the keys."""
        view, style = self._view, self._style
        lines = []
        if view.numbers and not is_away:
            lines.append(self._pace.in_words(style))
        if view.numbers and self._classifier.name:
            lines.append(self._classifier.name)
        if view.numbers and now - self._somebody > _NOBODY_SECONDS:
            lines.append(style.say(Phrase.NO_FACE))
        if self._anonymize_by is not None:
            lines.append(style.say(Phrase.FACES_HIDDEN))
        if self._capture.elapsed < _HINT_SECONDS:
            lines.append(f"?  {style.say(Phrase.KEYS)}")
        return lines

    def _obey(self, window: Window) -> bool:
        """Do what the keys ask for; False if that is to end."""
        for key in window.pressed():
            command = command_of(key)
            if command is None or (self._is_held_down(key) and command not in _STEPWISE):
                continue
            if command in _FACE_SIZES and self._locator.is_certain:  # no face is looked for
                continue
            if key == ESCAPE and self._view.help:
                command = Command.HELP  # what is open is closed first
            if command is Command.QUIT:
                return False
            if command is Command.SNAPSHOT:
                self._save_picture()
            elif command is Command.RECORD:
                self._switch_recording()
            elif command is Command.NEXT_BACKEND:
                self._classifier.switch()
            else:
                self._view.obey(command)
                self._locator.min_face, self._smoother.seconds = self._view.min_face, self._view.smoothing
            self._drawn = 0.0  # to be seen at once, also while no picture comes
        return window.is_open

    def _is_held_down(self, key: str) -> bool:
        """Whether the key came a moment ago, too."""
        now = time.monotonic()
        before, self._pressed[key] = self._pressed.get(key, -math.inf), now
        return now - before < _REPEAT_SECONDS

    def _save_picture(self) -> None:
        if self._picture is not None:
            frame, result = self._picture
            if self._anonymize_by is not None:
                boxes = (*result.seen, *(reading.box for reading in result.readings))
                frame = replace(frame, image=anonymize(frame.image, boxes, self._anonymize_by))
            self._savers.submit(self._save, self._annotated(frame, result), self._snapshots / time_stamped(".png"))

    def _save(self, image: Image, path: Path) -> None:
        path = reserve_name(path)
        try:
            write_picture(image, path, overwrite=True)
            self._view.say(Phrase.SAVED, "picture", path=path.name)
            self.statistics.pictures += 1
        except OutputError as error:
            remove_if_empty(path)
            self._complain("picture", path, error)

    def _complain(self, about: str, path: Path, error: OutputError) -> None:
        """Tell that a file cannot be written: in short in the window, and why in the log."""
        self._view.say(Phrase.CANNOT_SAVE, about, path=path.name)
        _log.warning("%s", error)

    def _switch_recording(self) -> None:
        if self._recorder is None:
            return
        path = self._recorder.path
        if path is not None:
            self._recorder.stop()
            self._view.say(Phrase.RECORDED, "recording", path=path.name)
        else:
            self._view.say(Phrase.RECORDING, "recording", path=self._recorder.start().name)

    def _track(self) -> None:
        try:
            while not self._stopping.is_set() and not self._to_track.finished:
                frame = self._to_track.take(timeout=0.1)
                if frame is not None:
                    self._track_frame(frame)
        except BaseException as error:
            self._errors.append(error)

    def _track_frame(self, frame: Frame) -> None:
        watch = Stopwatch()
        sighting = self._locator.locate(frame, watch)
        faces = sighting.faces
        if faces and self._classifier.ready:
            images = tuple(crop(frame.image, face.box).copy() for face in faces)
            self._classifier.crops.put(Crops(faces, images, frame.index, frame.timestamp))
        found = readings(faces, self._classifier.scores, self._classifier.threshold)
        result = FrameResult(frame.index, frame.timestamp, found, sighting.seen, watch.laps_ms)
        self._tracked.put(_Tracked(result, self._locator.outlook(frame.timestamp), frame))
        if self._records is not None:
            self._records.write(frame, result)
        self.statistics.tracked += 1
        self.statistics.faces += len(faces)

    def close(self) -> None:
        """Stop all threads; the one that is inside a backend's call is left behind if it does not return."""
        self._stopping.set()
        self._capture.close()
        self._classifier.close()
        if self._tracking.ident:
            self._tracking.join(timeout=2.0)
        self._savers.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def time_stamped(suffix: str) -> Path:
    """A file name that says when, so exactly that names sort by time: emodetect-20260131-235959-123 and the suffix."""
    now = datetime.now()
    return Path(f"emodetect-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}{suffix}")


def wants_to_quit(window: Window) -> bool:
    """Whether the user has closed a window in which nothing is shown yet, or pressed a key for it."""
    # In this order: the window is closed while its events are handled.
    return Command.QUIT in map(command_of, window.pressed()) or not window.is_open
