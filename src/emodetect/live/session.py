"""A live session: capture, tracking and classification each in a thread, the window on the main thread.

Every captured frame is shown, at the camera's frame rate. A slow tracker makes boxes less accurate, and a slow backend makes
labels late. If saved images are anonymized, only tracked frames are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from emodetect.backends.base import EmotionBackend
from emodetect.drawing.style import Style
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.faces.detector import FaceDetector
from emodetect.faces.locator import FaceLocator
from emodetect.live.classifier import Classifier
from emodetect.live.commands import CommandExecutor
from emodetect.live.keys import DETECTION, Command, Keyboard
from emodetect.live.renderer import Activity, Renderer
from emodetect.live.snapshots import Snapshots
from emodetect.live.tracking import Tracking
from emodetect.live.view import View
from emodetect.live.window import Window
from emodetect.sinks.base import Sink
from emodetect.sinks.recorder import Recorder
from emodetect.sources.camera import LiveCapture
from emodetect.types import Frame, FrameResult

_POLL_SECONDS = 0.01
"""Seconds for which the main thread waits for a frame before it checks keys and signals again."""

_REDRAW_SECONDS = 0.25
"""Seconds after which the window is redrawn if no frame arrives, since messages come and go."""


@dataclass
class LiveStatistics:
    """Counts of a live session.

    Attributes:
        captured: frames read from the source.
        tracked: frames tracked.
        shown: frames shown in the window, or recorded if there is no window.
        classified: batches that the backends classified.
        pictures: snapshots saved.
        faces: faces in tracked frames, summed over frames.
        turned_away: number of these that were turned too far to the side to be read.
        seconds: duration of the session.
    """

    captured: int = 0
    tracked: int = 0
    shown: int = 0
    classified: int = 0
    pictures: int = 0
    faces: int = 0
    turned_away: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class LiveOutputs:
    """Outputs of a live session.

    Attributes:
        records: receives every tracked frame, in the tracking thread; None for none.
        publishing: receives every tracked frame, in the tracking thread; None for none.
        recorder: receives every shown frame while it is on; None for none.
        snapshots: folder for snapshots.
        anonymize_by: anonymization method for snapshots, as for `emodetect.drawing.anonymize`; None for no anonymization.
    """

    records: Sink | None = None
    publishing: Sink | None = None
    recorder: Recorder | None = None
    snapshots: Path = Path()
    anonymize_by: str | None = None


class LiveSession:
    """Shows a live source with the emotions of its faces, until the source ends or the user quits.

    Args:
        capture: source of the frames; opened, but not started.
        locator: finds and tracks faces.
        backends: factories of the backends that can be chosen; the first one is loaded at the start, in a separate thread.
        view: initial state of the window, minimum face size and smoothing.
        outputs: outputs of the session.
        window: shows the frames; None for none.
        style: words and letters of the window; None for English.
        detectors: factories of the detectors that can be chosen, by name, the locator's own first; empty for no choice.
        uncertain_below: confidence, 0 to 1, below which a reading is marked uncertain; None for the backend's own threshold.
        duration: seconds after which the session ends; None for no limit.
    """

    def __init__(
        self,
        capture: LiveCapture,
        locator: FaceLocator,
        backends: Sequence[Callable[[], EmotionBackend]],
        *,
        view: View,
        outputs: LiveOutputs = LiveOutputs(),
        window: Window | None = None,
        style: Style | None = None,
        detectors: Mapping[str, Callable[[], FaceDetector]] = MappingProxyType({}),
        uncertain_below: float | None = None,
        duration: float | None = None,
    ) -> None:
        self._capture, self._locator, self._view, self._window, self._duration = capture, locator, view, window, duration
        self._outputs, self._recorder = outputs, outputs.recorder
        if self._recorder is not None:
            self._recorder.on_error = partial(view.report_error, "recording")
        self._errors: list[BaseException] = []
        smoother, on_error = ScoreSmoother(view.smoothing), self._errors.append
        self._classifier = Classifier(backends, smoother, uncertain_below=uncertain_below, on_error=on_error, notify=view.notify)
        sinks = [sink for sink in (outputs.records, outputs.publishing) if sink is not None]
        self._tracking = Tracking(capture.frames.branch(), locator, self._classifier, sinks=sinks, on_error=on_error)
        self._renderer = Renderer(view, style=style, anonymize_by=outputs.anonymize_by)
        self._keyboard = Keyboard(disabled=DETECTION if locator.is_certain else ())
        self._snapshots = Snapshots(outputs.snapshots, view)
        self._commands = CommandExecutor(
            view, locator, detectors, smoother=smoother, classifier=self._classifier, renderer=self._renderer,
            snapshots=self._snapshots, recorder=self._recorder, window=window,
        )  # fmt: skip
        self._picture: tuple[Frame, FrameResult] | None = None
        self._drawn = 0.0
        self._captured = self._shown = 0

    def run(self) -> LiveStatistics:
        """Run until the source ends, the duration is over, or the user quits.

        Raises:
            EmodetectError: the source, the backend or an output failed.
        """
        try:
            self._classifier.start()
            self._capture.start()
            self._tracking.start()
            while not self._errors and self._step():
                pass
            seconds = self._capture.elapsed
        finally:
            self._close()
        for error in self._errors:
            raise error
        self._capture.raise_error()
        tracking, classified, pictures = self._tracking, self._classifier.classified, self._snapshots.saved
        return LiveStatistics(
            self._captured, tracking.tracked, self._shown, classified, pictures, tracking.faces, tracking.turned_away, seconds
        )

    def _step(self) -> bool:
        """Show the newest frame, and handle the keys; returns whether to continue."""
        frame = self._capture.frames.take(_POLL_SECONDS)
        if frame is not None:
            self._show(frame)
        elif self._capture.frames.finished:
            self._tracking.finish()
            return False
        elif time.monotonic() - self._drawn >= _REDRAW_SECONDS:
            self._draw()
        if self._window is not None and not self._handle_keys(self._window):
            return False
        now = self._capture.elapsed
        if frame is not None and self._picture is not None:
            self._renderer.pace.tick(now, now - self._picture[0].timestamp)
        return self._duration is None or now < self._duration

    def _show(self, frame: Frame) -> None:
        """Show a frame with the latest result, or the paused frame again."""
        self._captured = frame.index + 1
        if self._view.paused and self._picture is not None:
            still, result = self._picture
            self._picture = replace(still, timestamp=frame.timestamp), replace(result, timestamp=frame.timestamp)
        else:
            newest = self._tracking.newest(frame)
            if self._outputs.anonymize_by is not None:
                # Only tracked frames may be saved: the last one is shown in place of a newer one.
                if newest.frame is None or (self._picture is not None and newest.frame.index <= self._picture[0].index):
                    return
                frame = newest.frame
            self._picture = frame, self._renderer.update(newest.at(frame))
        if self._recorder is not None:
            self._recorder.write(*self._picture)
        self._draw()
        self._shown += 1

    def _draw(self) -> None:
        """Draw the current frame in the window."""
        self._drawn = time.monotonic()
        if self._window is None or self._picture is None:
            return
        capture, classifier, image = self._capture, self._classifier, self._picture[0].image
        activity = Activity(
            capture.elapsed, classifier.name, classifier.loading, is_reconnecting=capture.is_reconnecting,
            is_recording=self._recorder is not None and self._recorder.path is not None,
            is_logging=self._outputs.records is not None, can_search_smaller=not self._locator.is_certain,
        )  # fmt: skip
        size = self._window.room_for((image.shape[1], image.shape[0]))
        self._window.show(self._renderer.render(*self._picture, activity, size))

    def _handle_keys(self, window: Window) -> bool:
        """Execute the commands of the pressed keys; returns whether to continue."""
        self._keyboard.next_reading()
        for key in window.pressed_keys():
            command = self._keyboard.command(key, help_is_open=self._view.help)
            if command is Command.QUIT:
                return False
            if command is not None:
                self._commands.execute(command, self._picture)
                self._drawn = 0.0  # redraw at once, even if no frame arrives
        return window.is_open

    def _close(self) -> None:
        """Stop all threads. The classification thread is abandoned if a call of the backend does not return."""
        self._capture.close()
        self._classifier.close()
        self._tracking.close()
        self._snapshots.close()
