"""Detectors by name: the combined one, those of other packages, and an OpenCV without cascades."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

import emodetect
from emodetect.cli.group import cli
from emodetect.errors import BackendError, BackendUnavailableError, UsageError
from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.combined import CombinedDetector
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.faces.detectors import choices, create_detector, detector_names
from emodetect.faces.hiding import HiddenFaces
from emodetect.system.assumptions import warn_once
from emodetect.types import Box, Detection, FrameResult, Image
from tests.builders import PHOTO, make_frame, write_plugin
from tests.faces.scripted import BLUE, RED, Scripted, two_colors

PLUGIN = '''
import numpy as np
from emodetect.types import Box, Detection

class Middle:
    """Takes the middle of every picture for a face."""
    def detect(self, image):
        height, width = image.shape[:2]
        return [Detection(Box(width // 4, height // 4, width // 2, height // 2), 2.0)]

class Outside(Middle):
    def detect(self, image):
        far, large = Box(9000, 0, 50, 50), Box(-50, -60, 5000, 5000)
        return (Detection(box, 1.0) for box in (Box(5, 5, 4, 4), far, large))

class Failing(Middle):
    def detect(self, image):
        raise RuntimeError("the model is gone\\nand more")

class Numbers(Middle):
    def detect(self, image):
        return [(1, 2, 3, 4)]

class Nan(Middle):
    def detect(self, image):
        return [Detection(Box(float("nan"), 0, 10, 10), 1.0)]

class Nothing:
    pass

def broken():
    raise OSError("no weights")
'''
OBJECTS = {
    "middle": "Middle", "outside": "Outside", "failing": "Failing", "numbers": "Numbers", "nan": "Nan", "nothing": "Nothing",
    "broken": "broken", "absent": "absent", "haar": "Middle",
}  # fmt: skip


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with detectors."""
    points = {name: f"detectors_of_others:{thing}" for name, thing in OBJECTS.items()}
    write_plugin(tmp_path, "detectors_of_others", PLUGIN, points, group="emodetect.detectors")
    monkeypatch.syspath_prepend(str(tmp_path))


class Calls(Scripted):
    """Counts scans and looks."""

    def __init__(self, *boxes: Box) -> None:
        super().__init__(*boxes)
        self.looks = 0

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        self.looks += 1
        return list(self.detections)


def test_the_second_detector_is_asked_only_while_the_first_sees_nobody() -> None:
    first, second = Calls(BLUE), Calls(RED)
    both = CombinedDetector(first, second)
    assert [one.box for one in both.detect(two_colors())] == [BLUE]
    assert [one.box for one in both.detect_quick(two_colors(), [BLUE])] == [BLUE]
    assert second.shapes == []
    first.detections = []
    assert [one.box for one in both.detect(two_colors())] == [RED]
    # A face that only the second one sees is followed; where nobody is known, looks stay cheap.
    assert [one.box for one in both.detect_quick(two_colors(), [RED])] == [RED]
    assert both.detect_quick(two_colors(), []) == []
    assert (len(first.shapes), first.looks, len(second.shapes)) == (2, 3, 2)


def test_both_look_for_faces_of_one_size() -> None:
    first, second = Calls(), Calls()
    both = CombinedDetector(first, second)
    both.min_face = MinFace(0.2, relative=True)
    assert first.min_face == second.min_face == both.min_face


def test_the_default_is_both() -> None:
    assert isinstance(create_detector(DetectorSettings()), CombinedDetector)
    assert detector_names()[:4] == ["both", "haar", "blazeface", "none"]


@pytest.mark.usefixtures("package")
class TestOfOthers:
    def test_one_is_found_by_its_name(self) -> None:
        [reading] = emodetect.analyze(PHOTO, detector="middle", verify=False).readings
        assert reading.box == Box(128, 128, 256, 256)
        assert "middle" in detector_names()
        assert list(choices(DetectorSettings("haar")))[:4] == ["haar", "both", "blazeface", "absent"]

    def test_none_can_replace_a_built_in_one(self) -> None:
        assert detector_names().count("haar") == 1
        assert type(create_detector(DetectorSettings("haar"))).__name__ == "HaarDetector"

    def test_small_faces_and_what_lies_outside_are_left_out(self) -> None:
        image = np.zeros((300, 400, 3), np.uint8)
        [found] = create_detector(DetectorSettings("outside")).detect(image)
        assert found.box == Box(0, 0, 400, 300)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("broken", "the detector broken cannot be used: no weights"),
            ("nothing", "the detector nothing cannot be used: it has no method detect"),
            ("absent", "the detector absent cannot be used: .*absent"),
        ],
    )
    def test_one_that_cannot_be_made_is_an_error_with_its_name(self, name: str, said: str) -> None:
        with pytest.raises(BackendUnavailableError, match=said):
            create_detector(DetectorSettings(name))

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("failing", "the detector failing fails: the model is gone$"),
            ("numbers", "the detector numbers fails: expected a Detection, got tuple"),
            ("nan", "the detector nan fails: a number of .* is not finite"),
        ],
    )
    def test_one_that_fails_is_an_error_with_its_name(self, name: str, said: str) -> None:
        with pytest.raises(BackendError, match=said):
            create_detector(DetectorSettings(name)).detect(np.zeros((48, 64, 3), np.uint8))

    def test_options_of_the_cascade_are_refused(self) -> None:
        with pytest.raises(UsageError, match="--min-neighbors cannot be combined with --detector middle"):
            cli.main(["image", str(PHOTO), "--detector", "middle", "--min-neighbors", "3"], standalone_mode=False)


class TestWithoutCascades:
    """OpenCV 5 has no cascade classifier; everything else works."""

    @pytest.fixture(autouse=True)
    def opencv(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(cv2, "CascadeClassifier")
        warn_once.cache_clear()

    def test_both_is_the_network_and_one_note(self, caplog: pytest.LogCaptureFixture) -> None:
        create_detector(DetectorSettings())
        detector = create_detector(DetectorSettings())
        assert isinstance(detector, BlazeFaceDetector)
        assert caplog.messages == [f"OpenCV {cv2.__version__} has no cascade classifier, so that the network alone finds faces"]

    def test_the_cascade_is_an_error_that_names_the_network(self) -> None:
        with pytest.raises(BackendUnavailableError, match="has no cascade classifier; `detector` blazeface needs none, or "):
            create_detector(DetectorSettings("haar"))

    def test_the_network_needs_no_note(self, caplog: pytest.LogCaptureFixture) -> None:
        assert isinstance(create_detector(DetectorSettings("blazeface")), BlazeFaceDetector)
        assert caplog.messages == []

    def test_faces_are_hidden_by_the_network(self, photo: Image, caplog: pytest.LogCaptureFixture) -> None:
        frame = make_frame(photo)
        assert HiddenFaces().find(frame, FrameResult(0, 0.0, ())) != ()
        assert caplog.messages[0].endswith("so that the network alone finds faces to hide")
