from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.types import EMOTIONS, Box, Emotion, EmotionScores, FaceReading, Frame, FrameResult
from tests.builders import make_box, make_reading, make_scores


def test_emotions_are_in_the_order_of_fer2013() -> None:
    assert [emotion.value for emotion in EMOTIONS] == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_prints_as_its_label(emotion: Emotion) -> None:
    assert f"{emotion}" == str(emotion) == emotion.value == emotion


@pytest.mark.parametrize("shape", [(1, 1, 3), (48, 64, 3)])
def test_frame_takes_bgr_pictures(shape: tuple[int, ...]) -> None:
    assert Frame(np.zeros(shape, np.uint8)).image.shape == shape


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 1), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((0,), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((48, 64, 3), np.uint16),
    ],
)
def test_frame_refuses_other_arrays_and_says_what_it_got(image: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"expected a uint8 \(height, width, 3\) image") as caught:
        Frame(image)
    assert str(image.shape) in str(caught.value)
    assert str(image.dtype) in str(caught.value)


@pytest.mark.parametrize(
    ("image", "got", "cure"),
    [
        (np.zeros((48, 64), np.uint8), "uint8 (48, 64)", "cv2.COLOR_GRAY2BGR"),
        (np.zeros((48, 64, 4), np.uint8), "uint8 (48, 64, 4)", "[..., :3]"),
        (np.zeros((48, 64, 3), np.float64), "float64 (48, 64, 3)", "(255 * image).astype(np.uint8)"),
        (np.zeros((2, 48, 64, 3), np.uint8), "uint8 (2, 48, 64, 3)", "one at a time"),
        (np.zeros((0, 0, 3), np.uint8), "uint8 (0, 0, 3)", "no pixels"),
        (np.zeros((48, 0, 3), np.uint8), "uint8 (48, 0, 3)", "no pixels"),
    ],
)
def test_frame_says_what_makes_a_picture_of_an_array(image: npt.NDArray[np.uint8], got: str, cure: str) -> None:
    with pytest.raises(ValueError, match="expected a uint8") as caught:
        Frame(image)
    assert got in str(caught.value)
    assert cure in str(caught.value)


@pytest.mark.parametrize(
    ("image", "got"), [(None, "got None"), ([[[1, 2, 3]]], "got a list"), (5, "got an int"), (b"x", "got a bytes")]
)
def test_frame_takes_arrays_alone(image: Any, got: str) -> None:
    with pytest.raises(TypeError, match=got):
        Frame(image)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param(Box(10, 20, 30, 15), Box(10, 20, 30, 15), id="inside"),
        pytest.param(Box(-5, -8, 30, 20), Box(0, 0, 25, 12), id="over the top left"),
        pytest.param(Box(80, 40, 30, 20), Box(80, 40, 20, 10), id="over the bottom right"),
        pytest.param(Box(-5, -5, 200, 200), Box(0, 0, 100, 50), id="all round"),
        pytest.param(Box(100, 20, 10, 10), Box(100, 20, 0, 10), id="right of it"),
        pytest.param(Box(20, 70, 10, 10), Box(20, 50, 10, 0), id="below it"),
        pytest.param(Box(-30, -40, 10, 10), Box(0, 0, 0, 0), id="left of and over it"),
        pytest.param(Box(5, 5, 0, 0), Box(5, 5, 0, 0), id="empty"),
    ],
)
def test_clipping(box: Box, expected: Box) -> None:
    # Wider than high: a swap of the two would leave other boxes.
    assert box.clipped(100, 50) == expected
    assert box.lies_in(100, 50) is (box == expected)


def test_box_as_dict_names_its_numbers() -> None:
    assert Box(1, 2, 3, 4).as_dict() == {"x": 1, "y": 2, "width": 3, "height": 4}


@pytest.mark.parametrize("position", range(len(EMOTIONS)))
def test_dominant_and_confidence_are_the_highest_score(position: int) -> None:
    values = np.full(7, 0.05, np.float32)
    values[position] = 0.7
    scores = EmotionScores(values)
    assert scores.dominant is EMOTIONS[position]
    assert scores.confidence == pytest.approx(0.7)
    assert type(scores.confidence) is float


def test_scores_as_dict_keep_label_and_value_together() -> None:
    values = np.asarray([0.01, 0.02, 0.03, 0.04, 0.2, 0.3, 0.4], np.float32)
    result = EmotionScores(values).as_dict()
    assert list(result) == [emotion.value for emotion in EMOTIONS]
    assert result["angry"] == pytest.approx(0.01)
    assert result["sad"] == pytest.approx(0.2)
    assert result["neutral"] == pytest.approx(0.4)


@pytest.mark.parametrize("shape", [(0,), (6,), (8,), (1, 7), (7, 1)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    values = np.full(shape, 1 / max(1, int(np.prod(shape))), np.float32)
    with pytest.raises(ValueError, match=r"expected scores of shape \(7,\)") as caught:
        EmotionScores(values)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("total", [0.0, 0.9, 1.1, 7.0, float("nan")])
def test_scores_that_do_not_sum_to_one_are_refused(total: float) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        EmotionScores(np.full(7, total / 7, np.float32))


def test_scores_may_be_off_by_rounding() -> None:
    assert EmotionScores(np.full(7, 1.0004 / 7, np.float32)).confidence == pytest.approx(1 / 7, abs=1e-3)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (make_box(), "x"),
        (make_scores(), "values"),
        (make_reading(), "track_id"),
        (FrameResult(0, 0.0, ()), "readings"),
        (Frame(np.zeros((1, 1, 3), np.uint8)), "index"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_values_cannot_be_changed(value: object, field: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, None)


def test_a_reading_without_scores_is_uncertain() -> None:
    assert FaceReading(make_box(), 1, None).uncertain


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_scores_by_emotion(emotion: Emotion) -> None:
    scores = make_scores(Emotion.SAD, 0.4)
    assert scores[emotion] == scores.as_dict()[emotion.value]


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (make_reading(dominant=Emotion.SAD), Emotion.SAD),
        (make_reading(dominant=Emotion.SAD, uncertain=True), None),
        (dataclasses.replace(make_reading(dominant=Emotion.SAD), held=Emotion.FEAR), Emotion.FEAR),
        (dataclasses.replace(make_reading(dominant=Emotion.SAD, uncertain=True), held=Emotion.FEAR), None),
        (FaceReading(make_box(), 1, None), None),
    ],
)
def test_what_a_reading_shows(reading: FaceReading, expected: Emotion | None) -> None:
    assert reading.shown is expected


MANY = tuple(make_reading(Box(10_000 + number, 20_000, 1_000, 1_000), 100_000 + number, uncertain=True) for number in range(200))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Frame(np.zeros((480, 640, 3), np.uint8), 7, 0.12345678), "Frame(640x480, index=7, timestamp=0.123457)"),
        (make_scores(Emotion.SAD, 0.7), "EmotionScores(sad 70%, angry 9%, disgust 7%, ...)"),
        (make_reading(track_id=4), "FaceReading(happy 70%, Box(x=100, y=60, width=80, height=90), track_id=4)"),
        (make_reading(uncertain=True), "FaceReading(happy 70%?, Box(x=100, y=60, width=80, height=90), track_id=1)"),
        (FaceReading(make_box(), 1, None), "FaceReading(no scores, Box(x=100, y=60, width=80, height=90), track_id=1)"),
        (FrameResult(3, 0.12, ()), "FrameResult(index=3, timestamp=0.12, 0 faces)"),
        (FrameResult(3, 0.12, (make_reading(),)), "FrameResult(index=3, timestamp=0.12, 1 face: happy 70%)"),
        (
            FrameResult(10**6, 1e9, MANY),
            "FrameResult(index=1000000, timestamp=1e+09, 200 faces: happy 70%?, happy 70%?, happy 70%?, ...)",
        ),
    ],
)
def test_a_value_fits_a_line(value: object, text: str) -> None:
    assert repr(value) == text
    assert len(text) <= 100


def test_numbers_of_numpy_become_json() -> None:
    reading = dataclasses.replace(make_reading(), uncertain=np.bool_(True))  # type: ignore[arg-type]
    result = FrameResult(np.int64(3), np.float32(0.5), (reading,))
    record = json.loads(json.dumps(result.as_dict()))
    assert (record["frame"], record["time"], record["faces"][0]["uncertain"]) == (3, 0.5, True)


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf")])
def test_a_frame_has_a_finite_time(timestamp: float) -> None:
    with pytest.raises(ValueError, match="expected a timestamp in seconds, got"):
        Frame(np.zeros((1, 1, 3), np.uint8), timestamp=timestamp)


def test_frames_are_compared_without_an_error() -> None:
    frame = Frame(np.zeros((2, 2, 3), np.uint8))
    assert frame == frame
    assert frame != Frame(frame.image.copy())
    assert len({frame, frame}) == 1
