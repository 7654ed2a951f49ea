from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from emodetect.faces.alignment import roll
from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FaceTracker, TrackState
from emodetect.types import Box, Detection, Face, Frame
from tests.builders import MovingClip, make_background, make_detection, make_landmarks, place_face

SIZE = 640, 360
RATES = [10, 25, 60]


def feed(
    tracker: FaceTracker, detections: Sequence[Detection], *, start: float, seconds: float, rate: int = 25
) -> tuple[Face, ...]:
    """The same detections for some time; returns the faces at its end."""
    faces: tuple[Face, ...] = ()
    for index in range(round(seconds * rate) + 1):
        faces = tracker.update(detections, start + index / rate, SIZE)
    return faces


def ids(faces: Sequence[Face]) -> list[int]:
    return [face.track_id for face in faces]


def test_nothing_gives_nothing() -> None:
    tracker = FaceTracker()
    assert tracker.update([], 0.0, SIZE) == ()
    assert tracker.update([], 0.04, SIZE) == ()


def test_a_sure_face_is_shown_at_once_where_it_is() -> None:
    tracker = FaceTracker()
    assert tracker.update([Detection(Box(100, 60, 80, 90), 1.0)], 0.0, SIZE) == (Face(Box(100, 60, 80, 90), 1),)


@pytest.mark.parametrize(("neighbors", "frames"), [(10, 1), (9, 2), (5, 2), (4, 3), (1, 10)])
def test_a_new_face_is_shown_once_enough_windows_agreed_over_consecutive_frames(neighbors: int, frames: int) -> None:
    tracker = FaceTracker()
    shown = [bool(tracker.update([make_detection(confidence=neighbors / 10)], index / 25, SIZE)) for index in range(frames)]
    assert shown == [False] * (frames - 1) + [True]


@pytest.mark.parametrize("start", [0.0, 36_000.0])
def test_a_doubtful_box_that_flickers_is_never_a_face(start: float) -> None:
    # Far into a clip too: a tolerance that grows with the time would bridge the gap.
    tracker = FaceTracker()
    for index in range(20):
        detections = [make_detection(confidence=0.6)] if index % 2 == 0 else []
        assert tracker.update(detections, start + index / 25, SIZE) == ()


def test_once_known_any_detection_keeps_a_face() -> None:
    tracker = FaceTracker()
    tracker.update([make_detection(confidence=1.0)], 0.0, SIZE)
    assert ids(feed(tracker, [make_detection(confidence=0.1)], start=0.04, seconds=2)) == [1]


def test_faces_are_numbered_from_one_and_listed_by_number() -> None:
    tracker = FaceTracker()
    right, left = make_detection(400), make_detection(50)
    assert ids(tracker.update([right], 0.0, SIZE)) == [1]
    faces = tracker.update([left, right], 0.04, SIZE)
    assert ids(faces) == [1, 2]
    assert [face.box.x for face in faces] == [400, 50]


@pytest.mark.parametrize("rate", RATES)
def test_a_moving_face_keeps_its_number_and_is_followed_closely(rate: int) -> None:
    tracker = FaceTracker()
    for index in range(2 * rate + 1):
        # 150 pixels a second to the right, 40 down: another way than the sides swapped.
        x, y = 50 + 150 * index / rate, 40 + 40 * index / rate
        [face] = tracker.update([make_detection(round(x), round(y))], index / rate, SIZE)
        assert face.track_id == 1
        assert abs(face.box.x - x) <= 5
        assert abs(face.box.y - y) <= 5


@pytest.mark.parametrize("gap", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("rate", RATES)
def test_a_face_that_is_gone_for_a_short_time_comes_back_as_itself(gap: float, rate: int) -> None:
    tracker = FaceTracker(hold=0.25, forget=1.0)
    feed(tracker, [make_detection()], start=0, seconds=0.5, rate=rate)
    frames = round(gap * rate)
    for index in range(1, frames):
        tracker.update([], 0.5 + index / rate, SIZE)
    [face] = tracker.update([make_detection(110, 65)], 0.5 + frames / rate, SIZE)
    assert face.track_id == 1
    assert (face.box.x, face.box.y) == (110, 65)


@pytest.mark.parametrize("rate", RATES)
def test_a_face_that_is_gone_for_long_is_a_new_one(rate: int) -> None:
    tracker = FaceTracker(forget=1.0)
    feed(tracker, [make_detection()], start=0, seconds=0.5, rate=rate)
    feed(tracker, [], start=0.5 + 1 / rate, seconds=1.2, rate=rate)
    assert ids(feed(tracker, [make_detection()], start=1.8, seconds=0.2, rate=rate)) == [2]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hold", [0.0, 0.25, 0.5])
def test_a_lost_face_is_shown_for_so_many_seconds_where_it_was(hold: float, rate: int) -> None:
    tracker = FaceTracker(hold=hold)
    feed(tracker, [make_detection()], start=0, seconds=0.4, rate=rate)
    for index in range(1, rate):
        faces = tracker.update([], 0.4 + index / rate, SIZE)
        # Half a frame of slack for sums that are not exact.
        if index / rate < hold - 0.5 / rate:
            assert faces == (Face(Box(100, 60, 80, 80), 1),)
        if index / rate > hold + 0.5 / rate:
            assert faces == ()


def test_numbers_are_never_given_twice() -> None:
    tracker = FaceTracker(forget=0.2)
    seen = []
    for turn in range(4):
        seen += ids(tracker.update([make_detection(50 + 100 * turn)], float(turn), SIZE))
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(Box(125, 100, 35, 35), id="the mouth"),
        pytest.param(Box(110, 75, 60, 60), id="most of the face"),
        pytest.param(Box(70, 30, 160, 160), id="head and shoulders"),
        pytest.param(Box(90, 90, 60, 60), id="a cheek, partly outside"),
    ],
)
def test_a_box_inside_or_round_a_known_face_is_not_a_second_face(part: Box) -> None:
    tracker = FaceTracker()
    tracker.update([make_detection(side=80)], 0.0, SIZE)
    for index in range(1, 30):
        faces = tracker.update([Detection(part, 5.0), make_detection(side=80)], index / 25, SIZE)
        assert ids(faces) == [1]
        assert faces[0].box == Box(100, 60, 80, 80)


def test_a_face_beside_a_known_one_is_a_second_face() -> None:
    tracker = FaceTracker()
    tracker.update([make_detection(100, side=80)], 0.0, SIZE)
    # A third of each lies in the other: cheek to cheek.
    assert ids(tracker.update([make_detection(100, side=80), make_detection(155, side=80)], 0.04, SIZE)) == [1, 2]


def test_a_passing_false_box_does_not_take_over_a_known_face() -> None:
    tracker = FaceTracker()
    feed(tracker, [make_detection(100)], start=0, seconds=1)
    # For one frame a weak box lies a little better than the face's own.
    tracker.update([make_detection(140, confidence=0.5), make_detection(100)], 1.04, SIZE)
    faces = feed(tracker, [make_detection(100)], start=1.08, seconds=0.5)
    assert ids(faces) == [1]
    assert faces[0].box.x == 100


def test_a_known_face_has_the_first_claim_on_a_box() -> None:
    tracker = FaceTracker()
    feed(tracker, [make_detection(100)], start=0, seconds=1)
    tracker.update([make_detection(140, confidence=0.5), make_detection(100)], 1.04, SIZE)
    # The face moves to where the false box was: nearer to that than to where the face was known.
    [face] = tracker.update([make_detection(122)], 1.08, SIZE)
    assert face.track_id == 1
    assert face.box.x > 115


@pytest.mark.parametrize("rate", RATES)
def test_crossing_faces_keep_their_numbers(rate: int) -> None:
    # One person walks behind another, who is nearer and so larger; seen all the time.
    tracker = FaceTracker()
    for index in range(3 * rate + 1):
        part = index / (3 * rate)
        near = Detection(Box(round(60 + 340 * part), 60, 160, 160), 2.0)
        far = Detection(Box(round(500 - 430 * part), 70, 70, 70), 2.0)
        order = [near, far] if index % 2 else [far, near]
        faces = tracker.update(order, index / rate, SIZE)
        if index == 0:
            first = {face.box.width: face.track_id for face in faces}
        assert {face.track_id: face.box.width for face in faces} == {first[160]: 160, first[70]: 70}


@pytest.mark.parametrize("rate", RATES)
def test_faces_that_pass_at_different_heights_keep_their_numbers(rate: int) -> None:
    tracker = FaceTracker()
    for index in range(2 * rate + 1):
        part = index / (2 * rate)
        upper = make_detection(round(100 + 300 * part), 40, 90)
        lower = make_detection(round(400 - 300 * part), 100, 90)
        faces = tracker.update([lower, upper] if index % 3 else [upper, lower], index / rate, SIZE)
        if index == 0:
            upper_id = next(face.track_id for face in faces if face.box.y == 40)
        assert len(faces) == 2
        assert all((face.box.y < 60) == (face.track_id == upper_id) for face in faces)


def test_a_face_that_is_covered_while_another_passes_comes_back_as_itself() -> None:
    tracker = FaceTracker()
    behind = Detection(Box(300, 80, 80, 80), 2.0)
    for index in range(76):
        x = 100 + 400 * index / 75
        passing = Detection(Box(round(x), 60, 130, 130), 2.0)
        hidden = 225 < x < 335  # for 0.8 seconds
        faces = tracker.update([passing] if hidden else [behind, passing], index / 25, SIZE)
        if index == 0:
            names = {face.box.width: face.track_id for face in faces}
        assert {face.track_id for face in faces} <= set(names.values())
    assert {face.box.width: face.track_id for face in faces} == names


def test_the_order_of_detections_does_not_matter() -> None:
    forth, back = FaceTracker(), FaceTracker()
    boxes = [make_detection(50), make_detection(250), make_detection(450)]
    assert forth.update(boxes, 0.0, SIZE) == back.update(boxes, 0.0, SIZE)
    assert forth.update(boxes, 0.04, SIZE) == back.update(boxes[::-1], 0.04, SIZE)


@pytest.mark.parametrize("rate", RATES)
def test_the_size_settles_in_seconds_and_not_in_frames(rate: int) -> None:
    tracker = FaceTracker(size_smoothing=0.2)
    feed(tracker, [make_detection(100, 60, 100)], start=0, seconds=0.4, rate=rate)
    # The center stays where it is: 150, 110.
    [face] = feed(tracker, [make_detection(90, 50, 120)], start=0.4 + 1 / rate, seconds=0.2 - 1 / rate, rate=rate)
    assert face.box.width == pytest.approx(100 + 20 * (1 - np.exp(-1)), abs=0.6)
    assert face.box.height == face.box.width


@pytest.mark.parametrize("rate", RATES)
def test_the_position_settles_in_seconds_and_not_in_frames(rate: int) -> None:
    tracker = FaceTracker(position_smoothing=0.2, speed_smoothing=float("inf"))
    feed(tracker, [make_detection(100, 60)], start=0, seconds=0.4, rate=rate)
    [face] = feed(tracker, [make_detection(120, 50)], start=0.4 + 1 / rate, seconds=0.2 - 1 / rate, rate=rate)
    assert face.box.x == pytest.approx(100 + 20 * (1 - np.exp(-1)), abs=0.6)
    assert face.box.y == pytest.approx(60 - 10 * (1 - np.exp(-1)), abs=0.6)


@pytest.mark.parametrize("rate", RATES)
def test_a_face_moves_on_at_its_own_speed_while_nobody_looks(rate: int) -> None:
    tracker = FaceTracker()
    for index in range(rate + 1):
        tracker.update([make_detection(round(50 + 100 * index / rate), round(60 + 40 * index / rate))], index / rate, SIZE)
    [face] = tracker.faces(1.1, SIZE)
    assert face.box.x == pytest.approx(160, abs=2)
    assert face.box.y == pytest.approx(104, abs=2)
    [place] = tracker.places(1.1)
    assert place.box == face.box
    assert place.speed == pytest.approx(np.hypot(100, 40) / 80, rel=0.1)


def test_a_face_that_stays_unseen_stops_soon_and_is_not_shown_for_long() -> None:
    tracker = FaceTracker(hold=0.25)
    for index in range(26):
        tracker.update([make_detection(50 + 4 * index)], index / 25, SIZE)
    lefts = [face.box.x for time in (1.1, 1.16, 1.2, 1.24) for face in tracker.faces(time, SIZE)]
    assert lefts[0] < lefts[1] == lefts[2] == lefts[3]
    assert tracker.faces(1.3, SIZE) == ()


def test_how_well_a_face_is_known() -> None:
    tracker = FaceTracker(hold=0.25, forget=1.0)

    def states(time: float) -> list[TrackState]:
        return [place.state for place in tracker.places(time)]

    assert states(0.0) == []
    tracker.update([make_detection(confidence=0.6)], 0.0, SIZE)
    assert states(0.04) == [TrackState.CANDIDATE]
    tracker.update([make_detection(confidence=0.6)], 0.04, SIZE)
    assert states(0.08) == states(0.2) == [TrackState.SEEN]
    tracker.update([], 0.2, SIZE)
    assert states(0.24) == [TrackState.MISSED]
    assert states(0.5) == [TrackState.REMEMBERED]
    tracker.update([], 1.2, SIZE)
    assert states(1.2) == []


def test_two_frames_of_the_same_time_are_no_error() -> None:
    tracker = FaceTracker()
    tracker.update([make_detection()], 1.0, SIZE)
    assert ids(tracker.update([make_detection(104)], 1.0, SIZE)) == [1]


def test_width_and_height_are_kept_apart() -> None:
    tracker = FaceTracker()
    [face] = feed(tracker, [Detection(Box(100, 60, 60, 90), 2.0)], start=0, seconds=1)
    assert face.box == Box(100, 60, 60, 90)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(-20, 30, 80, 80), Box(0, 30, 60, 80)),
        (Box(600, 300, 80, 80), Box(600, 300, 40, 60)),
        (Box(30, -30, 80, 80), Box(30, 0, 80, 50)),
    ],
)
def test_faces_are_clipped_to_the_picture(box: Box, expected: Box) -> None:
    assert FaceTracker().update([Detection(box, 2.0)], 0.0, SIZE) == (Face(expected, 1),)


@pytest.mark.parametrize("box", [Box(700, 100, 50, 50), Box(100, 400, 50, 50), Box(100, 100, 0, 0)])
def test_a_face_of_which_nothing_is_in_the_picture_is_not_shown(box: Box) -> None:
    assert FaceTracker().update([Detection(box, 2.0)], 0.0, SIZE) == ()


def test_the_face_of_a_clip_has_one_number_and_is_where_it_is(moving_clip: MovingClip) -> None:
    detector, tracker = HaarDetector(min_face=MinFace(0.15, relative=True)), FaceTracker()
    capture = cv2.VideoCapture(str(moving_clip.path))
    for index, box in enumerate(moving_clip.boxes):
        image = np.asarray(capture.read()[1], np.uint8)
        [face] = tracker.update(detector.detect(image), index / moving_clip.frames_per_second, moving_clip.size)
        assert face.track_id == 1
        assert intersection_over_union([face.box], [box])[0, 0] > 0.7


@pytest.mark.parametrize("speed", [0.5, 1.0])
@pytest.mark.parametrize("late", [1 / 30, 0.1])
def test_an_outlook_keeps_up_with_a_moving_face(speed: float, late: float) -> None:
    """Speed in the face's own widths a second; the pictures to come are shown before anybody has looked at them."""
    tracker, side = FaceTracker(), 100
    overlaps = []
    for index in range(60):
        now = index / 30
        tracker.update([make_detection(50 + round(speed * side * now), 100, side)], now, SIZE)
        then = now + late
        [face] = tracker.predictor(now).faces(then, SIZE)
        truth = Box(50 + round(speed * side * then), 100, side, side)
        overlaps.append(float(intersection_over_union([face.box], [truth])[0, 0]))
    assert np.median(overlaps) > 0.95
    assert min(overlaps) > 0.7


def test_an_outlook_never_changes() -> None:
    tracker = FaceTracker()
    tracker.update([make_detection(100)], 0.0, SIZE)
    predictor = tracker.predictor(0.0)
    before = predictor.faces(0.04, SIZE)
    tracker.update([make_detection(130)], 0.04, SIZE)
    assert predictor.faces(0.04, SIZE) == before != tracker.faces(0.04, SIZE)


def test_an_outlook_holds_the_faces_that_are_shown_and_keeps_them() -> None:
    tracker = FaceTracker(hold=0.25)
    tracker.update([make_detection(100)], 0.0, SIZE)
    assert len(tracker.predictor(0.2).faces(5.0, SIZE)) == 1  # nobody has looked since; it has not gone
    assert tracker.predictor(0.3).faces(0.3, SIZE) == ()


def found_at(x: float, angle: float = 0.0) -> Detection:
    return Detection(Box(round(x) - 40, 60, 80, 80), 2.0, make_landmarks(x, 100, 80, angle))


def test_landmarks_follow_the_face_through_frames_in_which_nobody_looks() -> None:
    tracker = FaceTracker()
    for index in range(10):
        tracker.update([found_at(100 + 8 * index)], index / 25, SIZE)
    for index in (10, 11, 12):
        [face] = tracker.faces(index / 25, SIZE)
        assert face.landmarks is not None
        assert face.landmarks.dtype == np.float32
        assert np.abs(face.landmarks - make_landmarks(100 + 8 * index, 100, 80)).max() < 3
    [later] = tracker.predictor(0.36).faces(0.48, SIZE)
    assert later.landmarks is not None
    assert face.landmarks is not None
    assert np.abs(later.landmarks - face.landmarks).max() < 1e-3


def test_landmarks_turn_with_the_head() -> None:
    tracker = FaceTracker()
    for index in range(10):
        [face] = tracker.update([found_at(100, 4 * index)], index / 25, SIZE)
    assert roll(face.landmarks) == pytest.approx(36, abs=1)


def test_a_face_that_is_seen_without_landmarks_has_none_and_gets_them_again() -> None:
    tracker = FaceTracker()
    tracker.update([found_at(100)], 0.0, SIZE)
    [face] = tracker.update([replace(found_at(100), landmarks=None)], 0.04, SIZE)
    assert face.landmarks is None
    [face] = tracker.update([found_at(100, 20)], 0.08, SIZE)
    assert face.track_id == 1
    assert roll(face.landmarks) == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("gap", "x", "side", "expected"), [
    (2.9, 100, 80, 1), (2.9, 150, 80, 1), (2.9, 100, 110, 1), (2.0, 40, 70, 1),
    (3.2, 100, 80, 2),  # too late
    (1.0, 300, 80, 2),  # somewhere else
    (1.0, 100, 160, 2),  # much larger
])  # fmt: skip
def test_a_face_that_returns_to_about_its_place_within_three_seconds_is_the_same(
    gap: float, x: int, side: int, expected: int, rate: int
) -> None:
    tracker = FaceTracker()
    feed(tracker, [make_detection(100)], start=0, seconds=1, rate=rate)
    feed(tracker, [], start=1 + 1 / rate, seconds=gap - 2 / rate, rate=rate)
    assert ids(feed(tracker, [make_detection(x, side=side)], start=1 + gap, seconds=0.2, rate=rate)) == [expected]


def test_two_who_were_both_away_come_back_as_themselves() -> None:
    tracker = FaceTracker()
    left, right = make_detection(100), make_detection(220)
    feed(tracker, [left, right], start=0, seconds=1)
    feed(tracker, [], start=1.04, seconds=1.5)
    assert ids(feed(tracker, [right], start=2.6, seconds=0.2)) == [2]
    assert [(face.track_id, face.box.x) for face in feed(tracker, [left, right], start=2.84, seconds=0.2)] == [(1, 100), (2, 220)]


def test_somebody_who_walks_past_does_not_become_the_one_who_was_there() -> None:
    tracker = FaceTracker()
    stays = make_detection(300)
    for index in range(100):
        passing = make_detection(8 * index - 100)
        is_there = index < 20 or index > 70
        faces = tracker.update([passing, stays] if is_there and abs(8 * index - 400) > 90 else [passing], index / 25, SIZE)
    assert ids(faces) == [2]  # who passed has left the picture


def test_a_larger_minimum_face_size_removes_known_faces_at_once() -> None:
    """Detectors keep known faces that are a little too small, but not those that a new minimum excludes."""
    locator = FaceLocator(BlazeFaceDetector(min_face=MinFace(0.1, relative=True)), tracker=FaceTracker())
    image, _ = place_face(make_background((640, 360)), (320.0, 180.0), 110.0)
    frames = (Frame(image, index, index / 25) for index in range(50))
    [face] = [locator.locate(next(frames)).faces for _ in range(5)][-1]
    locator.min_face = MinFace(1.2 * face.box.height, relative=False)
    assert not any(locator.locate(next(frames)).faces for _ in range(20))
    locator.min_face = MinFace(0.9 * face.box.height, relative=False)
    assert [locator.locate(next(frames)).faces for _ in range(5)][-1]
