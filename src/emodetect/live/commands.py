"""Execution of the keyboard commands of a live session."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

from emodetect.drawing.phrases import Phrase
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import EmodetectError
from emodetect.faces.detector import FaceDetector
from emodetect.faces.locator import FaceLocator
from emodetect.live.classifier import Classifier
from emodetect.live.keys import Command
from emodetect.live.renderer import Renderer
from emodetect.live.snapshots import Snapshots
from emodetect.live.view import View
from emodetect.live.window import Window
from emodetect.sinks.recorder import Recorder
from emodetect.types import Frame, FrameResult

_log = logging.getLogger(__name__)


class CommandExecutor:
    """Executes the commands of a live session, except the one that ends it. Needs no window.

    Args:
        view: state of the window.
        locator: gets the minimum face size and the detector.
        detectors: factories of the detectors that can be chosen, by name, the locator's own first; empty for no choice.
        smoother: gets the smoothing.
        classifier: switches the backend.
        renderer: draws snapshots.
        snapshots: saves them.
        recorder: records while it is on; None for none.
        window: is switched to full screen; None for none.
    """

    def __init__(
        self,
        view: View,
        locator: FaceLocator,
        detectors: Mapping[str, Callable[[], FaceDetector]],
        *,
        smoother: ScoreSmoother,
        classifier: Classifier,
        renderer: Renderer,
        snapshots: Snapshots,
        recorder: Recorder | None = None,
        window: Window | None = None,
    ) -> None:
        self._view, self._locator, self._smoother, self._classifier = view, locator, smoother, classifier
        self._renderer, self._snapshots, self._recorder, self._window = renderer, snapshots, recorder, window
        self._detectors = deque(detectors.items())

    def execute(self, command: Command, picture: tuple[Frame, FrameResult] | None) -> None:
        """Execute a command.

        Args:
            command: the command; not `Command.QUIT`.
            picture: the frame that is shown, with the result as `Renderer.update` returned it; None before the first frame.
        """
        match command:
            case Command.SNAPSHOT if picture is not None:
                self._snapshots.save(self._renderer.snapshot(*picture))
            case Command.RECORD if self._recorder is not None:
                self._switch_recording(self._recorder)
            case Command.FULLSCREEN if self._window is not None:
                self._window.toggle_fullscreen()
            case Command.NEXT_BACKEND:
                self._classifier.switch()
            case Command.NEXT_DETECTOR if self._detectors:
                self._switch_detector()
            case _:
                self._view.apply(command)
                self._locator.min_face, self._smoother.seconds = self._view.min_face, self._view.smoothing

    def _switch_recording(self, recorder: Recorder) -> None:
        phrase, path = Phrase.RECORDED, recorder.path
        if path is None:
            phrase, path = Phrase.RECORDING, recorder.start()
        else:
            recorder.stop()
        self._view.notify(phrase, "recording", path=path.name)

    def _switch_detector(self) -> None:
        """Switch to the next detector; if that cannot be created, the active one stays."""
        self._detectors.rotate(-1)
        name, make = self._detectors[0]
        try:
            self._locator.detector = make()
        except EmodetectError as error:
            self._view.notify(Phrase.CANNOT_LOAD, "detector", backend=name)
            _log.warning("%s", error)
        else:
            self._view.notify(Phrase.NOW, "detector", backend=name)
