from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.faces.alignment import aligned_crop, is_turned_away, roll
from emodetect.types import Box, Detection, Face, Image
from tests.builders import make_background, make_image, make_landmarks

BOX = Box(20, 10, 30, 40)


def turned(points: npt.NDArray[np.float32], degrees: float) -> npt.NDArray[np.float32]:
    """Points turned clockwise in the picture about (0, 0)."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.asarray(points @ np.asarray([[c, s], [-s, c]]), np.float32)


def face_with(landmarks: npt.NDArray[np.float32] | None) -> Face:
    return Face(BOX, 1, landmarks)


@pytest.mark.parametrize(("x", "y", "side"), [(100, 60, 48), (33, 40, 20), (101.5, 70.5, 51)])
def test_the_crop_of_an_upright_face_has_the_pixels_of_the_training_framing(x: float, y: float, side: int) -> None:
    picture = make_background((200, 150))
    crop = aligned_crop(picture, face_with(make_landmarks(x, y, side)))
    left, top = int(x - side / 2), int(y - side / 2)
    assert crop.shape == (side, side, 3)
    expected = picture[top : top + side, left : left + side]
    assert np.abs(crop.astype(int) - expected).max() <= 12
    assert np.abs(crop.astype(int) - expected).mean() < 1


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_turned_by_quarters_gives_the_same_crop(quarters: int) -> None:
    picture = make_background((120, 120))
    upright = aligned_crop(picture, face_with(make_landmarks(50, 70, 40)))
    turned_picture = np.ascontiguousarray(np.rot90(picture, -quarters))
    x, y = turned(np.asarray([[50 - 60, 70 - 60]], np.float32), 90 * quarters)[0] + 60
    crop = aligned_crop(turned_picture, face_with(make_landmarks(x, y, 40, 90 * quarters)))
    assert np.abs(crop.astype(int) - upright).mean() < 1


def smooth_picture() -> Image:
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("degrees", [-150, -35, -10, 10, 35, 80, 150])
def test_a_turned_face_is_cropped_as_the_upright_one(degrees: float) -> None:
    picture = smooth_picture()
    upright = aligned_crop(picture, face_with(make_landmarks(160, 120, 90)))
    turn = cv2.getRotationMatrix2D((159.5, 119.5), -degrees, 1.0)  # OpenCV turns counterclockwise
    tilted = np.asarray(cv2.warpAffine(picture, turn, (320, 240)), np.uint8)
    crop = aligned_crop(tilted, face_with(make_landmarks(160, 120, 90, degrees)))
    assert crop.shape == upright.shape
    assert np.abs(crop.astype(int) - upright).mean() < 3


@pytest.mark.parametrize("degrees", [-179, -135, -90, -35, -3, 0, 3, 35, 90, 135, 179])
def test_roll_of_the_full_circle(degrees: float) -> None:
    assert roll(make_landmarks(70, 50, 40, degrees)) == pytest.approx(degrees, abs=1e-3)


def test_roll_is_positive_where_the_left_eye_is_the_lower_one() -> None:
    landmarks = make_landmarks(70, 50, 40, 20)
    assert landmarks[1, 1] > landmarks[0, 1]
    assert (roll(landmarks) or 0) > 0


def test_pixels_beyond_the_picture_repeat_its_border() -> None:
    picture = make_image(100, 80, (10, 20, 30))
    picture[:, :5] = (200, 100, 50)
    crop = aligned_crop(picture, face_with(make_landmarks(5, 40, 40)))
    assert crop.shape == (40, 40, 3)
    assert (crop[:, :19] == (200, 100, 50)).all()
    assert (crop[:, 21:] == (10, 20, 30)).all()


@pytest.mark.parametrize(
    "landmarks",
    [
        pytest.param(None, id="none"),
        pytest.param(np.zeros((6, 2), np.float32), id="all in one point"),
        pytest.param(np.full((6, 2), np.nan, np.float32), id="no numbers"),
        pytest.param(np.full((6, 2), np.inf, np.float32), id="infinite"),
        pytest.param(make_landmarks(0, 0, 1e6), id="far larger than the picture"),
    ],
)
def test_without_usable_landmarks_the_box_is_cropped(landmarks: npt.NDArray[np.float32] | None) -> None:
    picture = make_background((120, 90))
    for face in (Face(BOX, 1, landmarks), Detection(BOX, 1.0, landmarks)):
        assert (aligned_crop(picture, face) == picture[10:50, 20:50]).all()


def test_without_landmarks_nothing_is_known_of_how_a_face_is_held() -> None:
    assert roll(None) is None
    assert roll(np.full((6, 2), np.nan, np.float32)) is None
    assert not is_turned_away(None)


@pytest.mark.parametrize("degrees", [0, 35, -90, 180])
@pytest.mark.parametrize(("shift", "expected"), [(0.0, False), (0.1, False), (-0.1, False), (0.3, True), (-0.3, True)])
def test_a_face_is_turned_away_where_its_nose_is_far_from_the_middle(degrees: float, shift: float, expected: bool) -> None:
    assert is_turned_away(make_landmarks(80, 50, 60, degrees, nose=shift)) is expected


@pytest.mark.parametrize("degrees", [0, 35, -120])
def test_a_square_box_tells_place_and_size(degrees: float) -> None:
    """Landmarks that are a tenth off change nothing but the roll."""
    picture = smooth_picture()
    box = Box(120, 80, 80, 80)
    right = aligned_crop(picture, Face(box, 1, make_landmarks(160, 121, 82, degrees)))
    off = aligned_crop(picture, Face(box, 1, make_landmarks(152, 113, 90, degrees)))
    assert right.shape == (82, 82, 3)
    np.testing.assert_allclose(right.astype(int), off, atol=1)


@pytest.mark.parametrize("box", [Box(120, 80, 80, 50), Box(120, 80, 30, 30), Box(0, 0, 200, 200)])
def test_a_box_that_is_cut_or_disagrees_tells_nothing(box: Box) -> None:
    picture, landmarks = smooth_picture(), make_landmarks(160, 120, 80, 20)
    np.testing.assert_array_equal(aligned_crop(picture, Face(box, 1, landmarks)), aligned_crop(picture, face_with(landmarks)))
