from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from typing_extensions import override

from emodetect.faces.blazeface import BlazeFaceDetector, _tile, _tiles, decode, suppress
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.combined import CombinedDetector
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.faces.detectors import create_detector
from emodetect.faces.haar import HaarDetector
from emodetect.faces.landmarks import LandmarkRefiner
from emodetect.types import Box, Detection, Image
from tests.builders import PHOTO_FACE, as_network, make_background, place_face

SMALL = MinFace(24, relative=False)


def turned(image: Image, angle: float) -> tuple[Image, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """The picture turned counterclockwise about its middle, degrees, and what that does to points."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    picture = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(picture, np.uint8), np.asarray(matrix)


def test_the_photo_has_one_face_framed_as_the_cascade_does(photo: Image) -> None:
    [found] = BlazeFaceDetector().detect(photo)
    assert found.confidence >= 1
    assert intersection_over_union([found.box], [PHOTO_FACE])[0, 0] > 0.55
    assert found.box.width == found.box.height


def test_landmarks_lie_where_eyes_nose_and_mouth_are(photo: Image) -> None:
    [found] = BlazeFaceDetector().detect(photo)
    assert found.landmarks is not None
    assert found.landmarks.shape == (6, 2)
    assert found.landmarks.dtype == np.float32
    right_eye, left_eye, nose, mouth, right_ear, left_ear = found.landmarks
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]


@pytest.mark.parametrize("angle", [-45, -20, 20, 45])
def test_a_tilted_head_is_found_and_its_landmarks_turn_with_it(photo: Image, angle: int) -> None:
    """The cascade finds none of these at 45 degrees."""
    detector, refiner = BlazeFaceDetector(), LandmarkRefiner()
    [upright] = (refiner.refine(photo, found) for found in detector.detect(photo))
    picture, matrix = turned(photo, angle)
    [found] = detector.detect(picture)
    second = refiner.refine(picture, found)
    assert upright.landmarks is not None
    expected = upright.landmarks @ matrix[:, :2].T + matrix[:, 2]
    for landmarks, tolerance in ((found.landmarks, 0.17), (second.landmarks, 0.04)):
        assert landmarks is not None
        assert np.abs(landmarks - expected).max() < tolerance * upright.box.width


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.04])
def test_faces_that_fill_the_picture_and_small_ones_are_found(photo: Image, share: float) -> None:
    face = photo[40:260, 120:340]
    picture = make_background((1280, 720)) if share < 0.9 else np.zeros((720, 720, 3), np.uint8)
    side = round(share * 720)
    x, y = (picture.shape[1] - side) // 2, (720 - side) // 2
    picture[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    [found] = BlazeFaceDetector(min_face=MinFace(0.015, relative=True)).detect(picture)
    assert intersection_over_union([found.box], [Box(x, y, side, side)])[0, 0] > 0.15


class Calls(BlazeFaceDetector):
    """Counts how often the network is asked."""

    count = 0

    @override
    def _run(self, picture: Image, tiles: Sequence[tuple[int, int]], *arguments: Any) -> list[Detection]:
        self.count += len(tiles)
        return super()._run(picture, tiles, *arguments)


@pytest.mark.parametrize(("side", "calls"), [(60, 8), (42, 23)])
def test_a_finer_level_is_looked_at_where_a_face_is_hardly_large_enough(side: int, calls: int) -> None:
    picture, face = place_face(make_background((1280, 720)), (900, 300), side)
    detector = Calls()
    [found] = detector.detect(picture)
    assert intersection_over_union([found.box], [as_network(face)])[0, 0] > 0.5
    # Six tiles, the whole picture and that with a border; then fifteen finer tiles.
    assert detector.count == calls


@pytest.mark.parametrize(("has_face", "calls"), [(True, 3), (False, 4)])
def test_a_portrait_is_searched_as_a_whole_only_if_nobody_is_found_in_its_parts(has_face: bool, calls: int) -> None:
    picture = make_background((920, 1078))
    if has_face:
        picture, _ = place_face(picture, (460, 400), 300)
    detector = Calls(min_face=MinFace(0.05, relative=True))
    assert len(detector.detect(picture)) == has_face
    assert detector.count == calls


@pytest.mark.parametrize(("distance", "calls"), [(180, 3), (300, 5)])
def test_known_faces_too_small_for_the_whole_picture_share_search_regions(distance: int, calls: int) -> None:
    picture, known = make_background((1280, 720)), []
    for number in range(4):
        picture, face = place_face(picture, (200 + number * distance, 300), 60)
        known.append(face)
    detector = Calls(min_face=MinFace(0.05, relative=True))
    found = [one.box for one in detector.detect_quick(picture, known)]
    assert (intersection_over_union([as_network(face) for face in known], found).max(axis=1) > 0.5).all()
    assert detector.count == calls


def test_a_second_look_confirms_a_doubtful_face(photo: Image) -> None:
    [upright] = BlazeFaceDetector().detect(photo)
    picture, matrix = turned(photo, 140)
    assert BlazeFaceDetector().detect(picture) == []
    [found] = BlazeFaceDetector(refiner=LandmarkRefiner()).detect(picture)
    x, y = matrix @ (upright.box.x + upright.box.width / 2, upright.box.y + upright.box.height / 2, 1)
    width = upright.box.width
    assert found.box.x + found.box.width / 2 == pytest.approx(x, abs=0.35 * width)
    assert found.box.y + found.box.height / 2 == pytest.approx(y, abs=0.35 * width)
    assert found.box.width == pytest.approx(width, rel=0.3)


def test_a_second_look_is_for_scans_only(photo: Image) -> None:
    class Refiner(LandmarkRefiner):
        looks = 0

        @override
        def confirm(self, image: Image, found: Detection) -> Detection | None:
            Refiner.looks += 1
            return super().confirm(image, found)

    picture, _ = turned(photo, 140)
    detector = BlazeFaceDetector(refiner=Refiner())
    detector.detect_quick(picture, [])
    assert Refiner.looks == 0
    detector.detect(picture)
    assert Refiner.looks > 0


def test_faces_below_the_smallest_wanted_one_are_left_out(photo: Image) -> None:
    [found] = BlazeFaceDetector().detect(photo)
    assert BlazeFaceDetector(min_face=MinFace(1.3 * found.box.width, relative=False)).detect(photo) == []


def test_a_look_finds_a_known_face_that_the_whole_picture_does_not_show(photo: Image) -> None:
    picture = make_background((1920, 1080))
    side = 60
    picture[500 : 500 + side, 900 : 900 + side] = cv2.resize(photo[40:260, 120:340], (side, side), interpolation=cv2.INTER_AREA)
    detector = BlazeFaceDetector(min_face=SMALL)
    [everywhere] = detector.detect(picture)
    assert detector.detect_quick(picture, []) == []
    [near] = detector.detect_quick(picture, [everywhere.box])
    assert intersection_over_union([near.box], [everywhere.box])[0, 0] > 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (500, 2, 3), (192, 192, 3), (191, 193, 3)])
def test_pictures_without_a_face(shape: tuple[int, ...]) -> None:
    detector = BlazeFaceDetector(min_face=SMALL)
    assert detector.detect(np.full(shape, 127, np.uint8)) == []
    assert detector.detect_quick(np.full(shape, 127, np.uint8), [Box(-50, -50, 20, 20), Box(400, 400, 100, 100)]) == []


@pytest.mark.parametrize("size", [(1200, 900), (900, 1200), (920, 1078), (1500, 1000), (1920, 1080), (3000, 600)])
def test_small_faces_are_found_anywhere_in_pictures_of_any_shape(size: tuple[int, int]) -> None:
    detector = BlazeFaceDetector(min_face=MinFace(0.05, relative=True))
    width, height = size
    for x, y in ((0.1, 0.15), (0.5, 0.5), (0.37, 0.85), (0.88, 0.3)):
        picture, box = place_face(make_background(size), (x * width, y * height), 0.08 * height)
        [face] = detector.detect(picture)
        assert intersection_over_union([face.box], [box])[0, 0] > 0.5


@pytest.mark.parametrize(("size", "tile"), [
    ((373, 280), (224, 192)), ((238, 280), (256, 192)), ((420, 280), (256, 192)), ((498, 280), (192, 192)),
    ((210, 420), (224, 256)), ((249, 140), (192, 192)), ((100, 30), (192, 192)),
])  # fmt: skip
def test_tiles_cover_a_picture_with_the_fewest_pixels(size: tuple[int, int], tile: tuple[int, int]) -> None:
    assert _tile(*size) == tile
    tiles = [*_tiles(size, tile)]
    for axis in (0, 1):
        starts = sorted({place[axis] for place in tiles})
        assert starts[0] <= 0
        assert starts[-1] + tile[axis] >= size[axis]
        assert all(first + tile[axis] - second >= 38 for first, second in pairwise(starts))
    assert len(tiles) == len({*tiles})


def test_answers_count_from_the_middle_of_their_cells() -> None:
    """By hand: cell 50 is in row 1, column 2 of 48, its middle at (2.5, 1.5) * 4 = (10, 6) pixels of 192."""
    boxes, logits = np.zeros((2304, 16), np.float32), np.full(2304, -9, np.float32)
    boxes[50] = [1, 2, 40, 44, -3, -4, 5, -4, 0, 2, 0, 8, -9, 0, 9, 0]
    logits[50] = math.log(0.8 / 0.2)
    scores, answers = decode(boxes, logits, 48)
    assert scores == pytest.approx([0.8])
    assert answers.tolist() == [[[11, 8], [40, 44], [7, 2], [15, 2], [10, 8], [10, 14], [1, 6], [19, 6]]]


def test_answers_about_one_face_are_averaged_by_their_scores() -> None:
    def answer(x: float) -> list[list[float]]:
        return [[x, 50], [40, 40], *[[x + n, 50] for n in range(6)]]

    answers = np.asarray([answer(50), answer(54), answer(150)], np.float32)
    first, second = suppress(np.asarray([0.9, 0.6, 0.7], np.float32), answers)
    assert first[0] == pytest.approx(0.9)
    assert first[1][0].tolist() == pytest.approx([50 + 4 * 0.6 / 1.5, 50])
    assert second[0] == pytest.approx(0.7)
    assert second[1][0, 0] == 150


def test_threads_share_a_detector(photo: Image) -> None:
    detector = BlazeFaceDetector()
    pictures = [photo, photo[:, ::-1].copy(), photo[30:], photo[:, 40:].copy()] * 5
    alone = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(detector.detect, pictures)) == alone


def test_detectors_by_name() -> None:
    assert isinstance(create_detector(DetectorSettings("blazeface", min_face=SMALL)), BlazeFaceDetector)
    assert isinstance(create_detector(DetectorSettings("haar")), HaarDetector)
    assert isinstance(create_detector(DetectorSettings()), CombinedDetector)
