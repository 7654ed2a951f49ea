from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.detector import FaceDetector, MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.schedule import SCAN_EVERY, DetectionMode, DetectionSchedule
from emodetect.faces.tracker import FaceTracker, Place, TrackState
from emodetect.sources.video import VideoFile
from emodetect.types import Box, Detection, Frame, Image
from tests.builders import MovingClip, make_background, place_face, shared_data

MIN_FACE = MinFace(0.1, relative=True)


def follow(
    frames: Iterable[tuple[float, Image]], *, every: float = SCAN_EVERY, detector: FaceDetector | None = None
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
    assert full_scans == 3  # at 0, 0.5 and 1 second


def test_the_clip_costs_a_full_scan_every_half_second(moving_clip: MovingClip) -> None:
    shown, full_scans = follow(clip_frames(moving_clip.path))

    assert missed_and_false(shown, [[box] for box in moving_clip.boxes]) == (0, 0)
    assert full_scans == 6


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
    ("places", "modes"),
    [
        ([], [DetectionMode.NONE, DetectionMode.NONE, DetectionMode.QUICK]),
        ([Place(BOX, TrackState.SEEN)], [DetectionMode.NONE, DetectionMode.NONE, DetectionMode.QUICK]),
        ([Place(BOX, TrackState.SEEN, speed=float("inf"))], [DetectionMode.QUICK, DetectionMode.QUICK, DetectionMode.QUICK]),
        (
            [Place(BOX, TrackState.SEEN), Place(BOX, TrackState.SEEN, speed=2.0)],
            [DetectionMode.NONE, DetectionMode.QUICK, DetectionMode.QUICK],
        ),
        ([Place(BOX, TrackState.REMEMBERED)], [DetectionMode.NONE, DetectionMode.NONE, DetectionMode.QUICK]),
        ([Place(BOX, TrackState.MISSED)], [DetectionMode.QUICK, DetectionMode.QUICK, DetectionMode.QUICK]),
        (
            [Place(BOX, TrackState.SEEN), Place(BOX, TrackState.CANDIDATE)],
            [DetectionMode.QUICK, DetectionMode.QUICK, DetectionMode.QUICK],
        ),
    ],
)
def test_faces_that_are_in_doubt_or_fast_are_looked_at_more_often(places: list[Place], modes: list[DetectionMode]) -> None:
    for time, expected in zip([0.016, 0.052, 0.12], modes, strict=True):
        schedule = DetectionSchedule()
        assert schedule.next(0.0, []) is DetectionMode.FULL
        assert schedule.next(time, places) is expected


def test_full_scans_keep_their_time_whoever_is_there() -> None:
    schedule = DetectionSchedule(scan_every=0.5)
    modes = [schedule.next(index / 25, [Place(BOX, TrackState.MISSED)] if index % 5 else []) for index in range(26)]
    assert [index for index, mode in enumerate(modes) if mode is DetectionMode.FULL] == [0, 13]
    assert schedule.full_scans == 2
    schedule.clear()
    assert schedule.next(1.04, []) is DetectionMode.FULL


def test_a_step_of_zero_scans_every_frame_whatever_its_time() -> None:
    schedule = DetectionSchedule(scan_every=0)
    assert {schedule.next(time, []) for time in (0.0, 0.0, 5.0, 1.0)} == {DetectionMode.FULL}


class Logging:
    """A network that remembers how it was asked."""

    def __init__(self, detector: FaceDetector) -> None:
        self.detector, self.calls = detector, list[str]()
        self.min_face, self.is_certain = detector.min_face, detector.is_certain

    def detect(self, image: Image) -> list[Detection]:
        self.calls.append("detect")
        return self.detector.detect(image)

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        self.calls.append(f"quick {len(known)}")
        return self.detector.detect_quick(image, known)

    def tracker(self) -> FaceTracker:
        return self.detector.tracker()


def test_the_network_looks_at_every_third_frame(moving_clip: MovingClip) -> None:
    detector = Logging(BlazeFaceDetector(min_face=MIN_FACE))
    shown, full_scans = follow(clip_frames(moving_clip.path), detector=detector)

    assert missed_and_false(shown, [[box] for box in moving_clip.boxes]) == (0, 0)
    assert full_scans == 6
    assert detector.calls.count("detect") == 6
    assert detector.calls.count("quick 1") + detector.calls.count("quick 0") == 23
    assert len(detector.calls) == 29  # of 75 frames


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
