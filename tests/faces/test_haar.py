from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.errors import ModelError
from emodetect.faces.boxes import intersection_over_smaller, intersection_over_union
from emodetect.faces.cascade import CASCADE_NAME, default_cascade
from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.types import Box, Image
from tests.builders import PHOTO_FACE, make_background, place_face, shared_data


def overlap(first: Box, second: Box) -> float:
    return float(intersection_over_union([first], [second])[0, 0])


@pytest.mark.parametrize("min_face", [MinFace(24, False), MinFace(60, False), MinFace(0.05, True), MinFace(0.15, True)])
def test_finds_the_one_face_of_the_photo(photo: Image, min_face: MinFace) -> None:
    [found] = HaarDetector(min_face=min_face).detect(photo)
    assert overlap(found.box, PHOTO_FACE) > 0.75
    assert found.confidence >= 0.5


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (1280, 720)])
@pytest.mark.parametrize("corner", ["top left", "bottom right"])
def test_boxes_are_in_pixels_of_the_whole_picture(size: tuple[int, int], corner: str) -> None:
    center = (110, 120) if corner == "top left" else (size[0] - 110, size[1] - 130)
    image, face = place_face(make_background(size), center, 100)
    [found] = HaarDetector(min_face=MinFace(0.1, relative=True)).detect(image)
    assert overlap(found.box, face) > 0.75


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 2), (10, 300), (23, 23), (48, 48), (200, 300)])
def test_flat_and_tiny_pictures_hold_no_face(shape: tuple[int, int]) -> None:
    assert HaarDetector().detect(np.full((*shape, 3), 127, np.uint8)) == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 40), (40, 0)])
def test_a_picture_without_pixels_holds_no_face(shape: tuple[int, int]) -> None:
    assert HaarDetector().detect(np.zeros((*shape, 3), np.uint8)) == []


def test_a_textured_wall_holds_no_face() -> None:
    assert HaarDetector().detect(make_background((640, 360))) == []


@pytest.mark.parametrize("value", [1.0, 0.0, 0.001, 10_000.0])
@pytest.mark.parametrize("relative", [True, False])
def test_extreme_smallest_faces_are_no_error(value: float, relative: bool) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8)
    assert isinstance(HaarDetector(min_face=MinFace(value, relative)).detect(picture), list)


@pytest.mark.parametrize(
    ("min_face", "height", "expected"),
    [
        (MinFace(40, relative=False), 360, 40),
        (MinFace(40, relative=False), 1080, 40),
        (MinFace(0.1, relative=True), 360, 36),
        (MinFace(0.1, relative=True), 1080, 108),
        (MinFace(1.0, relative=True), 360, 360),
        (MinFace(1.0, relative=False), 360, 1),
    ],
)
def test_min_face_is_pixels_or_a_share_of_the_height(min_face: MinFace, height: int, expected: float) -> None:
    assert min_face.pixels(height) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("min_face", "found"),
    [
        (MinFace(60, relative=False), True),
        (MinFace(130, relative=False), False),
        # Of 360 rows 54 and 126, of 640 columns 96 and 224: the face of 80 tells height from width.
        (MinFace(0.15, relative=True), True),
        (MinFace(0.35, relative=True), False),
    ],
)
def test_faces_below_the_smallest_are_left_out(min_face: MinFace, found: bool) -> None:
    image, _ = place_face(make_background((640, 360)), (300, 180), 80)
    assert bool(HaarDetector(min_face=min_face).detect(image)) is found


def test_a_share_follows_the_picture_and_pixels_do_not() -> None:
    small, _ = place_face(make_background((640, 360)), (300, 180), 80)
    large = np.asarray(cv2.resize(small, None, fx=2, fy=2), np.uint8)
    in_pixels, as_share = MinFace(110, relative=False), MinFace(110 / 360, relative=True)
    assert HaarDetector(min_face=in_pixels).detect(small) == HaarDetector(min_face=as_share).detect(small) == []
    assert len(HaarDetector(min_face=in_pixels).detect(large)) == 1
    assert HaarDetector(min_face=as_share).detect(large) == []


def test_more_neighbors_are_asked_for_before_a_face_counts(photo: Image) -> None:
    [found] = HaarDetector().detect(photo)
    assert HaarDetector(min_neighbors=round(10 * found.confidence) + 20).detect(photo) == []


def test_the_scale_factor_is_the_step_of_the_scan(photo: Image) -> None:
    fine, *_ = HaarDetector(scale_factor=1.05).detect(photo)
    coarse, *_ = HaarDetector(scale_factor=1.3).detect(photo)
    assert fine.confidence > coarse.confidence


def test_two_faces_are_two_detections_and_the_surest_comes_first() -> None:
    image, left = place_face(make_background((640, 360)), (150, 180), 70)
    image, right = place_face(image, (450, 180), 130)
    found = HaarDetector(min_face=MinFace(0.1, relative=True)).detect(image)
    assert len(found) == 2
    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)
    assert all(max(overlap(d.box, face) for d in found) > 0.7 for face in (left, right))


@pytest.mark.parametrize(("min_neighbors", "enlarged"), [(1, 1), (2, 2)])
def test_of_nested_boxes_the_surest_stays(photo: Image, min_neighbors: int, enlarged: int) -> None:
    # So fine a scan and so few neighbors bring out boxes inside the face and round it.
    picture = np.asarray(cv2.resize(photo, None, fx=enlarged, fy=enlarged), np.uint8)
    detector = HaarDetector(scale_factor=1.02, min_neighbors=min_neighbors, min_face=MinFace(24, relative=False))
    boxes = [d.box for d in detector.detect(picture)]
    face = Box(*(enlarged * side for side in (PHOTO_FACE.x, PHOTO_FACE.y, PHOTO_FACE.width, PHOTO_FACE.height)))
    assert overlap(boxes[0], face) > 0.7
    for first, second in combinations(boxes, 2):
        assert intersection_over_smaller([first], [second])[0, 0] <= 0.6


def test_boxes_lie_inside_the_picture(photo: Image) -> None:
    # Cut so that the face touches the rim.
    cut = np.ascontiguousarray(photo[60:170, 170:275])
    for found in HaarDetector(min_neighbors=1).detect(cut):
        assert found.box.clipped(cut.shape[1], cut.shape[0]) == found.box


def test_the_picture_is_left_as_it_is(photo: Image) -> None:
    picture = photo
    before = picture.copy()
    HaarDetector().detect(picture)
    np.testing.assert_array_equal(picture, before)


def test_the_cascade_that_comes_along_is_there_with_its_license() -> None:
    path = default_cascade()
    assert path.name == CASCADE_NAME
    assert "License Agreement" in path.read_text(encoding="utf-8")[:2000]


def test_another_cascade_is_taken(tmp_path: Path, photo: Image) -> None:
    copy = tmp_path / "mine.xml"
    copy.write_bytes(default_cascade().read_bytes())
    assert HaarDetector(copy).detect(photo) == HaarDetector().detect(photo)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such cascade file", id="missing"),
        pytest.param(b"", "not a cascade", id="empty"),
        pytest.param(b"hello\n", "not a cascade", id="text"),
        pytest.param(b"<?xml version='1.0'?><opencv_storage><a>1</a></opencv_storage>", "not a cascade", id="other storage"),
        pytest.param(b"<?xml version='1.0'?><html><body/></html>", "not a cascade", id="other xml"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(64), "not a cascade", id="binary"),
    ],
)
def test_a_file_that_is_no_cascade_is_an_error_that_names_it(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "broken.xml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        HaarDetector(path)
    assert str(path) in str(caught.value)


def test_a_cascade_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "short.xml"
    data = default_cascade().read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="not a cascade"):
        HaarDetector(path)


def test_a_folder_is_no_cascade(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such cascade file"):
        HaarDetector(tmp_path)


def test_finds_the_three_people_of_the_group_photo() -> None:
    image = np.asarray(cv2.imread(str(shared_data("media/group.jpg"))), np.uint8)
    found = sorted((d.box for d in HaarDetector().detect(image)), key=lambda box: box.x)
    people = [Box(235, 215, 130, 130), Box(455, 95, 140, 140), Box(640, 225, 125, 125)]
    assert len(found) == 3
    assert all(overlap(box, person) > 0.6 for box, person in zip(found, people, strict=True))


def test_few_lights_of_the_night_clip_are_taken_for_faces() -> None:
    capture = cv2.VideoCapture(str(shared_data("media/clip-596x336.mp4")))
    detector = HaarDetector(min_face=MinFace(0.15, relative=True))
    counts: list[int] = []
    while (read := capture.read())[0]:
        if len(counts) % 5 == 0:
            counts.append(len(detector.detect(np.asarray(read[1], np.uint8))))
        else:
            counts.append(-1)
    looked = [count for count in counts if count >= 0]
    assert len(counts) == 115
    assert sum(count >= 1 for count in looked) >= 0.85 * len(looked)
    assert sum(max(0, count - 1) for count in looked) <= 0.15 * len(looked)
