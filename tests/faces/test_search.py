from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.search import SCAN_EVERY, FaceSearch
from emodetect.faces.tracker import FaceTracker, Place, Standing
from emodetect.sources.video import VideoFile
from emodetect.types import Box, Detection, Frame, Image
from tests.builders import MovingClip, make_background, make_frame, place_face, shared_data

Gray = npt.NDArray[np.uint8]

MIN_FACE = MinFace(0.1, relative=True)


class Counting(HaarDetector):
    """Remembers what it was asked, a text for each call."""

    def __init__(self) -> None:
        super().__init__(min_face=MIN_FACE)
        self.calls: list[str] = []

    @override
    def detect(self, gray: Gray) -> list[Detection]:
        self.calls.append("plain")
        return super().detect(gray)

    @override
    def detect_near(self, gray: Gray, boxes: Sequence[Box], margin: float) -> list[Detection]:
        self.calls.append(f"near {len(boxes)}")
        return super().detect_near(gray, boxes, margin)

    @override
    def glance(self, gray: Gray, known: Sequence[Box]) -> list[Box]:
        self.calls.append(f"full but {len(known)}")
        return super().glance(gray, known)


class Blinded(Counting):
    """Finds faces near no place any more after so many looks."""

    def __init__(self, *, after: int) -> None:
        super().__init__()
        self.left = after

    @override
    def detect_near(self, gray: Gray, boxes: Sequence[Box], margin: float) -> list[Detection]:
        found = super().detect_near(gray, boxes, margin)
        self.left -= bool(boxes)
        return found if self.left >= 0 else []


def gray(image: Image) -> Gray:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def follow(
    frames: Iterable[tuple[float, Image]], *, every: float = SCAN_EVERY, detector: HaarDetector | None = None
) -> tuple[list[list[Box]], int]:
    """The shown boxes of each frame, and the number of full scans."""
    detector = detector or HaarDetector(min_face=MIN_FACE)
    locator = FaceLocator(detector, tracker=FaceTracker(), scan_every=every)
    shown = []
    for timestamp, image in frames:
        shown.append([face.box for face in locator.locate(Frame(image, timestamp=timestamp)).faces])
    return shown, locator.full_scans


def missed_and_false(shown: Sequence[Sequence[Box]], truth: Sequence[Sequence[Box]]) -> tuple[int, int]:
    """True faces without a box (IoU at least 0.5), and boxes without a true face."""
    missed = false = 0
    for boxes, faces in zip(shown, truth, strict=True):
        hits = intersection_over_union(faces, boxes) >= 0.5
        missed += int((~hits.any(axis=1)).sum())
        false += int((~hits.any(axis=0)).sum())
    return missed, false


def clip_frames(path: Path) -> Iterable[tuple[float, Image]]:
    with VideoFile(path) as clip:
        for frame in clip:
            yield frame.timestamp, frame.image


def walking(side: int, speed: float, rate: int, seconds: float = 1.5) -> tuple[list[tuple[float, Image]], list[list[Box]]]:
    """A face that walks to and fro by so many of its own widths a second, and where it truly is."""
    size = 640, 360
    background = make_background(size)
    span = size[0] - 2.0 * side
    frames, truth = [], []
    for index in range(round(seconds * rate)):
        way = (speed * side * index / rate) % (2 * span)
        center = side + min(way, 2 * span - way), 180 + 20 * float(np.sin(index / rate))
        image, box = place_face(background, center, side)
        frames.append((index / rate, image))
        truth.append([box])
    return frames, truth


@pytest.mark.parametrize(
    ("side", "speed", "rate"),
    [(50, 0.5, 25), (100, 0.0, 25), (100, 1.0, 25), (100, 4.0, 25), (90, 1.0, 10), (90, 2.0, 60), (180, 1.0, 25)],
)
def test_a_moving_face_is_found_as_often_as_by_full_scans_and_nothing_is_added(side: int, speed: float, rate: int) -> None:
    frames, truth = walking(side, speed, rate)
    shown, full_scans = follow(frames)
    missed, false = missed_and_false(shown, truth)

    assert missed <= missed_and_false(follow(frames, every=0)[0], truth)[0] <= 1
    assert false == 0
    # At 0, 0.5 and 1 second; the smallest and the fastest face are lost for a moment.
    assert full_scans == 3 if side > 50 and speed < 4 else full_scans <= 6


def test_the_clip_costs_a_full_scan_every_half_second(moving_clip: MovingClip) -> None:
    shown, full_scans = follow(clip_frames(moving_clip.path))

    assert missed_and_false(shown, [[box] for box in moving_clip.boxes]) == (0, 0)
    assert full_scans == 6


def test_a_face_that_is_known_is_looked_for_now_and_then_and_followed_in_between(moving_clip: MovingClip) -> None:
    detector = Counting()
    frames = list(clip_frames(moving_clip.path))[:13]
    follow(frames, detector=detector)

    # The second look of a full scan is at what it found; the next one is the first that knows whose face it is.
    assert detector.calls[:4] == ["near 0", "full but 0", "near 1", "near 1"]
    # Then at the first look after a third of a second.
    assert detector.calls.count("near 1") == 3
    assert set(detector.calls[4:]) == {"near 0", "near 1"}


def test_a_face_that_the_detector_misses_is_followed_on_for_a_second_and_no_longer() -> None:
    image, box = place_face(make_background((640, 360)), (300, 180), 90)
    detector = Blinded(after=2)
    shown, _ = follow([(index / 25, image) for index in range(45)], detector=detector)

    held = [index / 25 for index, boxes in enumerate(shown) if boxes]
    assert missed_and_false(shown[1:28], [[box]] * 27) == (0, 0)
    # It was found last at 0.08 s, looked for three times a second, and is shown for a quarter of one after its loss.
    assert 1.0 <= max(held) <= 1.5
    # While it is there the scans keep their time.
    assert detector.calls.count("full but 1") == 2


@pytest.mark.parametrize(("speed", "lowest"), [(0.5, 0.8), (1.0, 0.75)])
def test_the_box_is_on_the_moving_face_between_looks_too(speed: float, lowest: float) -> None:
    frames, truth = walking(100, speed, 30, seconds=2.0)
    shown, _ = follow(frames)
    overlaps = [intersection_over_union(faces, boxes)[0, 0] for faces, boxes in zip(truth, shown, strict=True)]

    assert np.median(overlaps) > 0.85
    assert min(overlaps) > lowest


def test_every_step_of_zero_scans_every_frame(moving_clip: MovingClip) -> None:
    assert follow(clip_frames(moving_clip.path), every=0)[1] == 75


def test_eight_faces_are_followed_together() -> None:
    background = make_background((1280, 720))
    frames, truth = [], []
    for index in range(20):
        image, boxes = background, []
        for place in range(8):
            sway = 12 * np.sin(index / 6 + place)
            center = 170 + 310 * (place % 4) + float(sway), 190 + 340 * (place // 4) - float(sway) / 2
            image, box = place_face(image, center, 100 + 6 * place)
            boxes.append(box)
        frames.append((index / 25, image))
        truth.append(boxes)

    shown, full_scans = follow(frames)
    # Those that the cascade is least sure of need a second frame to be believed.
    assert missed_and_false(shown[:1], truth[:1])[0] <= 2
    assert missed_and_false(shown[1:], truth[1:]) == (0, 0)
    assert full_scans <= 3


def test_two_runs_find_the_same(moving_clip: MovingClip) -> None:
    assert follow(clip_frames(moving_clip.path)) == follow(clip_frames(moving_clip.path))


def test_a_lost_face_is_looked_for_everywhere_at_once() -> None:
    background = make_background((640, 360))
    here, there = place_face(background, (150, 180), 90), place_face(background, (480, 170), 90)
    detector = Counting()
    shown, _ = follow([(0.0, here[0]), (0.08, here[0]), (0.16, there[0]), (0.2, there[0])], detector=detector)

    assert detector.calls[3:7] == ["near 1", "near 1", "full but 0", "near 1"]
    assert missed_and_false([shown[2][1:]], [[there[1]]]) == (0, 0)


def test_where_nobody_is_known_the_scans_come_more_often() -> None:
    empty = make_background((640, 360))
    detector = Counting()
    follow([(index / 25, empty) for index in range(25)], detector=detector)

    # In every second frame: the first at which a twentieth of a second has passed.
    assert detector.calls.count("full but 0") == 13


def test_a_face_that_appears_is_shown_soon() -> None:
    background = make_background((640, 360))
    image, box = place_face(background, (300, 180), 90)
    frames = [(index / 25, background if index < 9 else image) for index in range(20)]
    shown, _ = follow(frames)

    assert missed_and_false(shown[:9], [[]] * 9) == (0, 0)
    assert missed_and_false(shown[11:], [[box]] * 9) == (0, 0)


def test_a_second_face_is_found_at_the_next_full_scan() -> None:
    image, first = place_face(make_background((640, 360)), (150, 180), 90)
    both, second = place_face(image, (460, 180), 110)
    shown, _ = follow([(index / 25, image if index < 2 else both) for index in range(18)])

    assert missed_and_false(shown[14:], [[first, second]] * 4) == (0, 0)


BOX = Box(100, 100, 80, 80)


@pytest.mark.parametrize(
    ("place", "due"),
    [
        (Place(BOX, Standing.SEEN), [False, False, True]),
        (Place(BOX, Standing.SEEN, speed=0.8), [False, True, True]),
        (Place(BOX, Standing.REMEMBERED), [False, True, True]),
        (Place(BOX, Standing.MISSED), [True, True, True]),
        (Place(BOX, Standing.CANDIDATE), [True, True, True]),
    ],
)
def test_faces_that_are_in_doubt_are_looked_at_more_often(place: Place, due: list[bool]) -> None:
    search = FaceSearch(HaarDetector(min_face=MIN_FACE))
    search.find(make_background((640, 360)), 0.0, [])
    times = [0.016, 0.052, 0.08]
    assert [search.is_due(time, [place]) for time in times] == due


def test_a_missed_face_calls_for_a_full_scan_at_once_and_a_remembered_one_does_not() -> None:
    empty = make_background((640, 360))
    search = FaceSearch(HaarDetector(min_face=MIN_FACE))
    counts = []
    for timestamp, standing in [
        (0.0, Standing.SEEN),
        (0.04, Standing.REMEMBERED),
        (0.04, Standing.SEEN),
        (0.08, Standing.MISSED),
    ]:
        search.find(empty, timestamp, [Place(BOX, standing)])
        counts.append(search.full_scans)
    assert counts == [1, 1, 2, 2]


def test_as_many_windows_agree_near_a_known_face_as_in_a_full_scan(moving_clip: MovingClip) -> None:
    # The tracker sums them, so they must mean the same.
    detector = HaarDetector(min_face=MIN_FACE)
    ratios = []
    for (_, image), box in zip(clip_frames(moving_clip.path), moving_clip.boxes, strict=True):
        [everywhere] = detector.detect(gray(image))
        [near] = detector.detect_near(gray(image), [box], 0.26)
        assert intersection_over_union([near.box], [everywhere.box])[0, 0] > 0.8
        ratios.append(near.confidence / everywhere.confidence)
    assert 0.9 < np.median(ratios) < 1.1


@pytest.mark.parametrize(
    "box", [Box(-300, 40, 80, 80), Box(700, 400, 90, 90), Box(630, 350, 60, 60), Box(20, 20, 0, 0), Box(-40, -40, 2000, 2000)]
)
def test_places_at_the_rim_and_beyond_are_no_error(box: Box) -> None:
    picture = gray(make_background((640, 360)))
    assert HaarDetector(min_face=MIN_FACE).detect_near(picture, [box], 0.3) == []


def test_a_glance_sees_all_faces_but_the_known_ones() -> None:
    image, left = place_face(make_background((640, 360)), (150, 180), 70)
    image, right = place_face(image, (450, 180), 130)
    detector = HaarDetector(min_face=MIN_FACE)
    boxes = detector.glance(gray(image), [])
    assert (intersection_over_union([left, right], boxes) > 0.5).any(axis=1).all()
    [box] = detector.glance(gray(image), [left])
    assert intersection_over_union([box], [right])[0, 0] > 0.5
    assert detector.glance(gray(image), [left, right]) == []


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (10, 300), (23, 23)])
def test_pictures_too_small_for_a_face_are_no_error(shape: tuple[int, int]) -> None:
    picture = np.full(shape, 127, np.uint8)
    detector = HaarDetector(min_face=MIN_FACE)
    assert detector.glance(picture, [BOX]) == []
    assert detector.detect_near(picture, [BOX], 0.3) == []


def test_two_known_places_on_one_face_give_one_detection() -> None:
    image, box = place_face(make_background((640, 360)), (300, 180), 90)
    moved = Box(box.x + 20, box.y, box.width, box.height)
    assert len(HaarDetector(min_face=MIN_FACE).detect_near(gray(image), [box, moved], 0.4)) == 1


def test_a_full_scan_does_not_depend_on_what_was_seen_before(photo: Image) -> None:
    search = FaceSearch(HaarDetector(), every=0)
    frame = make_frame(photo)
    assert search.find(frame.image, 0.0) == search.find(frame.image, 0.0)


BY_EYE = {
    0: (273, 28), 10: (269, 25), 20: (266, 25), 30: (263, 25), 40: (261, 25), 50: (260, 25),
    60: (271, 23), 70: (277, 20), 80: (273, 25), 90: (262, 30), 100: (254, 32), 110: (261, 28),
}  # fmt: skip
"""Left and top of the face in every tenth frame of the night clip, marked by eye; 125 pixels wide and high."""


def test_the_face_of_the_night_clip_is_found_and_no_light_is() -> None:
    clip = shared_data("media/clip-596x336.mp4")
    shown, full_scans = follow(clip_frames(clip))
    marked = [[Box(*corner, 125, 125)] for corner in BY_EYE.values()]

    assert missed_and_false([shown[index] for index in BY_EYE], marked) == (0, 0)
    assert all(len(boxes) == 1 for boxes in shown)
    assert full_scans <= 20
