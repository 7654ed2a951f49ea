from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.faces.alignment import roll
from emodetect.faces.landmarks import LandmarkRefiner
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FaceTracker
from emodetect.types import Box, Detection, Face, Image
from tests.builders import make_frame, make_image, make_landmarks
from tests.faces.scripted import BLUE, RED, OnlyBlue, Scripted, two_colors


def test_the_detector_gets_the_picture_in_color() -> None:
    detector = Scripted()
    FaceLocator(detector).locate(make_frame(make_image(64, 48)))
    assert detector.shapes == [(48, 64, 3)]


def test_locate_follows_faces_of_a_frame_to_the_picture_of_its_size() -> None:
    # The tracker clips to width and height, in this order.
    locator = FaceLocator(Scripted(Box(350, 150, 100, 100)), tracker=FaceTracker())
    [face] = locator.locate(make_frame(make_image(400, 200))).faces
    assert face == Face(Box(350, 150, 50, 50), 1)


def test_what_the_verifier_refuses_is_no_face() -> None:
    verifier = OnlyBlue()
    [face] = FaceLocator(Scripted(BLUE, RED), verifier=verifier).locate(make_frame(two_colors())).faces
    assert face.box == BLUE
    assert verifier.asked == 2


@pytest.mark.parametrize(
    ("confidence", "has_landmarks", "expected"),
    [(0.9, True, True), (0.95, True, False), (2.0, True, False), (0.5, False, False), (2.0, False, False)],
)
def test_what_the_network_is_not_sure_of_is_verified_strictly(confidence: float, has_landmarks: bool, expected: bool) -> None:
    class Asked(OnlyBlue):
        @override
        def are_faces(self, crops: Sequence[Image], doubtful: Sequence[bool] = ()) -> npt.NDArray[np.bool_]:
            assert list(doubtful) == [expected]
            return super().are_faces(crops)

    detector, verifier = Scripted(BLUE, confidence=confidence), Asked()
    landmarks = make_landmarks(BLUE.x + 30, BLUE.y + 20, 30) if has_landmarks else None
    detector.detections = [replace(detector.detections[0], landmarks=landmarks)]
    FaceLocator(detector, verifier=verifier).locate(make_frame(two_colors()))
    assert verifier.asked == 1


class Straight(LandmarkRefiner):
    """Finds every face upright, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    def refine(self, image: Image, found: Detection) -> Detection:
        self.asked += 1
        return replace(found, landmarks=make_landmarks(100, 100, 40))


@pytest.mark.parametrize(
    ("angle", "tracks", "asked"), [(3, False, 1), (3, True, 0), (-30, True, 1), (30, True, 1), (None, False, 0)]
)
def test_a_second_look_at_all_faces_of_a_photo_and_at_leaning_ones_of_a_clip(
    angle: float | None, tracks: bool, asked: int
) -> None:
    detector, refiner = Scripted(BLUE), Straight()
    landmarks = None if angle is None else make_landmarks(100, 100, 40, angle)
    detector.detections = [replace(detector.detections[0], landmarks=landmarks)]
    locator = FaceLocator(detector, refiner=refiner, tracker=FaceTracker() if tracks else None)
    [face] = locator.locate(make_frame(two_colors())).faces
    assert refiner.asked == asked
    assert roll(face.landmarks) == (pytest.approx(0 if asked else angle, abs=1e-3) if angle is not None else None)


def test_a_face_that_is_followed_is_not_verified_again() -> None:
    verifier = OnlyBlue()
    locator = FaceLocator(Scripted(BLUE), verifier=verifier, tracker=FaceTracker())
    for index in range(20):
        [face] = locator.locate(make_frame(two_colors(), index, index / 25)).faces
    assert face.track_id == 1
    assert verifier.asked == 1


def test_a_false_face_is_verified_whenever_it_is_found() -> None:
    verifier = OnlyBlue()
    detector = Scripted(RED)
    locator = FaceLocator(detector, verifier=verifier, tracker=FaceTracker())
    for index in range(20):
        assert locator.locate(make_frame(two_colors(), index, index / 25)).faces == ()
    assert verifier.asked == len(detector.shapes) > 1


def test_what_is_refused_or_not_believed_yet_is_still_a_place_that_may_hold_a_face() -> None:
    located = FaceLocator(Scripted(BLUE, RED), verifier=OnlyBlue()).locate(make_frame(two_colors()))
    assert set(located.seen) == {BLUE, RED}

    located = FaceLocator(Scripted(BLUE, confidence=0.1), tracker=FaceTracker()).locate(make_frame(two_colors()))
    assert located.faces == ()
    assert BLUE in located.seen


def test_a_face_that_is_lost_may_still_be_there() -> None:
    detector = Scripted(BLUE)
    locator = FaceLocator(detector, tracker=FaceTracker(), scan_every=0)
    assert locator.locate(make_frame(two_colors())).seen[0] == BLUE
    detector.detections = []

    for timestamp in (0.2, 0.6, 0.9):
        assert BLUE in locator.locate(make_frame(two_colors(), 1, timestamp)).seen
    assert locator.locate(make_frame(two_colors(), 1, 1.5)).seen == ()


def test_every_frame_can_be_scanned_so_that_no_face_is_found_late() -> None:
    class Counting(Scripted):
        scans = 0

        @override
        def detect(self, image: Image) -> list[Detection]:
            self.scans += 1
            return super().detect(image)

    detector = Counting(BLUE)
    locator = FaceLocator(detector, tracker=FaceTracker(), scan_every=0)
    for index in range(20):
        locator.locate(make_frame(two_colors(), index, index / 25))
    assert detector.scans == 20
