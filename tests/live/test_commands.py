from __future__ import annotations

from pathlib import Path

import pytest

from emodetect.drawing.style import Style
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import BackendUnavailableError
from emodetect.faces.detector import FaceDetector, MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FaceTracker
from emodetect.live.classifier import Classifier
from emodetect.live.commands import CommandExecutor
from emodetect.live.keys import Command
from emodetect.live.renderer import Renderer
from emodetect.live.snapshots import Snapshots
from emodetect.live.view import View
from tests.builders import FakeBackend

MIN_FACE = MinFace(0.1, relative=True)


def test_the_detector_is_switched_and_one_that_cannot_be_made_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> FaceDetector:
        raise BackendUnavailableError("the detector mine cannot be used")

    view = View(min_face=MIN_FACE)
    first, second = HaarDetector(min_face=MIN_FACE), HaarDetector()
    locator = FaceLocator(first, tracker=FaceTracker())
    detectors = {"haar": lambda: first, "other": lambda: second, "mine": broken}
    smoother = ScoreSmoother(0.5)
    errors: list[BaseException] = []
    classifier = Classifier([FakeBackend], smoother, uncertain_below=None, on_error=errors.append, notify=view.notify)
    snapshots = Snapshots(tmp_path, view)
    commands = CommandExecutor(
        view, locator, detectors, smoother=smoother, classifier=classifier, renderer=Renderer(view), snapshots=snapshots
    )
    commands.execute(Command.NEXT_DETECTOR, None)
    assert locator.detector is second
    assert second.min_face == MIN_FACE
    assert view.notices(Style()) == ["now: other"]
    commands.execute(Command.NEXT_DETECTOR, None)
    assert locator.detector is second
    assert view.notices(Style()) == ["mine cannot be loaded; the terminal says why"]
    assert caplog.messages == ["the detector mine cannot be used"]
    commands.execute(Command.NEXT_DETECTOR, None)
    assert locator.detector is first
    snapshots.close()
    assert not errors
