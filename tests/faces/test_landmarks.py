from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from emodetect.faces.alignment import roll
from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.landmarks import LandmarkRefiner
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FaceTracker
from emodetect.types import Box, Detection, Image
from tests.builders import make_frame, make_image, make_landmarks


def turned(image: Image, degrees: float) -> Image:
    """The whole picture turned clockwise about its middle."""
    height, width = image.shape[:2]
    side = math.ceil(math.hypot(width, height))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)  # OpenCV turns counterclockwise
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), np.uint8)


@pytest.fixture(scope="module")
def upright(photo: Image) -> float:
    """The roll of the face in the photo, degrees."""
    return angle_in(photo)


def angle_in(picture: Image, tracker: FaceTracker | None = None) -> float:
    [face] = FaceLocator(BlazeFaceDetector(), refiner=LandmarkRefiner(), tracker=tracker).locate(make_frame(picture)).faces
    leans = roll(face.landmarks)
    assert leans is not None
    return leans


@pytest.mark.parametrize("degrees", [-90, -60, -45, -35, -20, -10, 5, 10, 20, 35, 45, 60, 90])
def test_the_angle_follows_a_picture_that_is_turned(photo: Image, upright: float, degrees: float) -> None:
    assert angle_in(turned(photo, degrees)) - upright == pytest.approx(degrees, abs=3)


@pytest.mark.parametrize("degrees", [-60, -45, -30, -20, 20, 30, 45, 60])
def test_so_it_does_in_the_first_frame_of_a_clip(photo: Image, upright: float, degrees: float) -> None:
    assert angle_in(turned(photo, degrees), FaceTracker()) - upright == pytest.approx(degrees, abs=3)


@pytest.mark.parametrize("degrees", [0, 35])
def test_the_mirror_image_leans_to_the_other_side(photo: Image, upright: float, degrees: float) -> None:
    mirror = np.ascontiguousarray(turned(photo, degrees)[:, ::-1])
    assert angle_in(mirror) == pytest.approx(-(upright + degrees), abs=3)


@pytest.mark.parametrize("start", [-80, -40, 0, 40, 80])
def test_rough_landmarks_are_found_again(photo: Image, upright: float, start: float) -> None:
    [found] = BlazeFaceDetector().detect(photo)
    x, y = found.box.x + found.box.width / 2, found.box.y + found.box.height / 2
    rough = Detection(found.box, 1.0, make_landmarks(x, y, found.box.width, start))
    assert roll(LandmarkRefiner().refine(photo, rough).landmarks) == pytest.approx(upright, abs=3)


def test_where_no_face_is_found_again_nothing_changes() -> None:
    box = Box(20, 20, 40, 40)
    for landmarks in (None, make_landmarks(40, 40, 40, 30), np.full((6, 2), np.nan, np.float32), make_landmarks(9, 9, 1e7)):
        found = Detection(box, 1.0, landmarks)
        assert LandmarkRefiner().refine(make_image(100, 80), found) is found


def test_a_face_is_confirmed_with_its_box_and_landmarks(photo: Image) -> None:
    [found] = BlazeFaceDetector().detect(photo)
    refiner = LandmarkRefiner()
    rough = found.moved(6, -8)
    again, refined = refiner.confirm(photo, rough), refiner.refine(photo, found)
    assert again is not None
    assert again.landmarks is not None
    assert refined.landmarks is not None
    assert np.abs(again.landmarks - refined.landmarks).max() < 0.05 * found.box.width
    assert intersection_over_union([again.box], [found.box])[0, 0] > 0.8


def test_what_is_no_face_is_not_confirmed(photo: Image) -> None:
    refiner = LandmarkRefiner()
    for x, y in ((80, 400), (420, 300), (300, 480)):
        assert refiner.confirm(photo, Detection(Box(x - 30, y - 30, 60, 60), 0.5, make_landmarks(x, y, 60, 0))) is None
    assert refiner.confirm(photo, Detection(Box(80, 400, 60, 60), 0.5)) is None
