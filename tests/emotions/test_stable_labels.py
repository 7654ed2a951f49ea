from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.drawing.overlay import draw
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.emotions.stable_labels import StableLabels
from emodetect.sinks.records import RecordWriter
from emodetect.sinks.video_file import AnnotatedVideo
from emodetect.types import EMOTIONS, Box, Emotion, EmotionScores, FaceReading, FrameResult
from tests.builders import make_box, make_frame, make_image, make_reading, make_result

RATE = 25.0
BELOW = 0.5
NOISE = 0.1
"""Standard deviation of the scores."""


def reading(scores: EmotionScores, below: float = BELOW) -> FaceReading:
    return FaceReading(make_box(), 1, scores, scores.confidence < below, below)


def noisy_face(means: dict[Emotion, float], below: float, seconds: float = 60.0) -> list[FrameResult]:
    """A face whose scores wander around these from frame to frame, smoothed as the commands smooth them."""
    random, smoother = np.random.default_rng(3), ScoreSmoother(0.3)
    noise = np.zeros(len(EMOTIONS))
    rest = (1 - sum(means.values())) / (len(EMOTIONS) - len(means))
    mean = np.asarray([means.get(emotion, rest) for emotion in EMOTIONS])
    results = []
    for index in range(round(seconds * RATE)):
        # What one frame has too much, the next one mostly has, too: light and pose last.
        noise = 0.8 * noise + 0.6 * random.normal(0, NOISE, len(EMOTIONS))
        values = np.clip(mean + noise, 0.001, None)
        scores = smoother.update(1, EmotionScores(np.asarray(values / values.sum(), np.float32)), index / RATE)
        results.append(make_result(reading(scores, below), index=index, timestamp=index / RATE))
    return results


def shown(results: list[FrameResult]) -> list[Emotion | None]:
    return [result.readings[0].shown for result in results]


def changes(labels: list[Emotion | None]) -> int:
    return sum(before is not after for before, after in pairwise(labels))


def steadied(results: list[FrameResult]) -> list[FrameResult]:
    steady = StableLabels()
    return [steady.update(result) for result in results]


@pytest.mark.parametrize(
    ("means", "below"),
    [
        pytest.param({Emotion.SAD: 0.45, Emotion.NEUTRAL: 0.45}, 0.3, id="between two emotions"),
        pytest.param({Emotion.HAPPY: 0.55}, 0.52, id="between sure and unsure"),
        pytest.param({Emotion.FEAR: 0.5, Emotion.SURPRISE: 0.45}, 0.46, id="between two that are hardly sure"),
    ],
)
def test_the_label_of_a_noisy_face_changes_rarely(means: dict[Emotion, float], below: float) -> None:
    results = noisy_face(means, below)
    plain, held = changes(shown(results)), changes(shown(steadied(results)))
    assert plain > 40
    assert held <= plain / 10


@pytest.mark.parametrize(("lead", "latest"), [(0.8, 0.25), (0.3, 0.4), (0.1, 1.5)])
def test_a_true_change_is_shown_the_sooner_the_clearer_it_is(lead: float, latest: float) -> None:
    first, second = Emotion.HAPPY, Emotion.SURPRISE

    def at(emotion: Emotion) -> EmotionScores:
        values = np.full(len(EMOTIONS), 0.0, np.float32)
        values[EMOTIONS.index(first)] = values[EMOTIONS.index(second)] = (1 - lead) / 2
        values[EMOTIONS.index(emotion)] += lead
        return EmotionScores(values)

    results = [make_result(reading(at(second if index >= 25 else first)), timestamp=index / RATE) for index in range(75)]
    labels = shown(steadied(results))
    assert set(labels[:25]) == {first}
    assert labels[-1] is second
    assert 1 <= labels.index(second) - 25 < latest * RATE


def confident(confidence: float) -> EmotionScores:
    values = np.full(len(EMOTIONS), (1 - confidence) / (len(EMOTIONS) - 1), np.float32)
    values[EMOTIONS.index(Emotion.HAPPY)] = confidence
    return EmotionScores(values)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(0.7, BELOW - 0.02, Emotion.HAPPY, id="hardly unsure stays sure"),
        pytest.param(0.7, BELOW - 0.10, None, id="unsure"),
        pytest.param(0.3, BELOW + 0.02, None, id="hardly sure stays unsure"),
        pytest.param(0.3, BELOW + 0.10, Emotion.HAPPY, id="sure"),
    ],
)
def test_uncertain_has_one_threshold_to_enter_and_another_to_leave(before: float, after: float, expected: Emotion | None) -> None:
    results = [make_result(reading(confident(after if i else before)), timestamp=i / RATE) for i in range(150)]
    labels = shown(steadied(results))
    assert labels[0] is (Emotion.HAPPY if before > BELOW else None)
    assert labels[-1] is expected


def test_a_single_odd_frame_changes_nothing() -> None:
    results = [
        make_result(make_reading(dominant=Emotion.SAD if index == 10 else Emotion.HAPPY, confidence=0.9), timestamp=index / RATE)
        for index in range(20)
    ]
    assert set(shown(steadied(results))) == {Emotion.HAPPY}


def test_faces_are_held_apart_and_forgotten() -> None:
    steady = StableLabels(forget=1.0)
    happy, sad = make_reading(track_id=1), make_reading(track_id=2, dominant=Emotion.SAD)
    steady.update(make_result(happy, sad, timestamp=0.0))
    swapped = make_reading(track_id=1, dominant=Emotion.SAD), make_reading(track_id=2)
    held = steady.update(make_result(*swapped, timestamp=0.04)).readings
    assert [face.shown for face in held] == [Emotion.HAPPY, Emotion.SAD]
    anew = steady.update(make_result(*swapped, timestamp=2.0)).readings
    assert [face.shown for face in anew] == [Emotion.SAD, Emotion.HAPPY]


def test_a_face_that_nobody_has_read_and_a_frame_that_comes_twice() -> None:
    steady = StableLabels()
    unread = FaceReading(make_box(), 1, None)
    assert steady.update(make_result(unread)).readings == (unread,)
    first = steady.update(make_result(make_reading(), timestamp=1.0))
    again = [steady.update(make_result(make_reading(dominant=Emotion.SAD), timestamp=1.0)) for _ in range(50)]
    assert {result.readings[0].shown for result in (first, *again)} == {Emotion.HAPPY}


def test_annotated_clips_hold_labels_and_logs_do_not(tmp_path: Path) -> None:
    box = Box(60, 60, 80, 80)
    results = [
        FrameResult(
            index, index / RATE, (make_reading(box, dominant=Emotion.SAD if index == 5 else Emotion.HAPPY, confidence=0.9),)
        )
        for index in range(8)
    ]
    image = make_image(200, 160)
    with AnnotatedVideo(tmp_path / "a.mp4", RATE) as video, RecordWriter(tmp_path / "a.jsonl") as log:
        for result in results:
            video.write(make_frame(image, result.index, result.timestamp), result)
            log.write(make_frame(image, result.index, result.timestamp), result)

    logged = [json.loads(line)["faces"][0] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [face["emotion"] for face in logged] == [*["happy"] * 5, "sad", *["happy"] * 2]
    capture = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    pictures = [capture.read()[1] for _ in results]
    capture.release()
    held, plain = (
        draw(image, [make_reading(box, dominant=emotion)], labels=False, bars=False) for emotion in (Emotion.HAPPY, Emotion.SAD)
    )
    edge = np.s_[62:138, 60]
    # Encoders mix the colors of neighboring pixels.
    away, off = (np.abs(pictures[5][edge].astype(int) - drawn[edge]).mean() for drawn in (held, plain))
    assert away < 50
    assert off > 1.5 * away


def test_a_face_that_turns_away_is_soon_uncertain_and_gets_its_label_back() -> None:
    frontal = make_reading(confidence=0.99)
    away = replace(frontal, uncertain=True, turned_away=True)
    faces = [frontal] * 5 + [away] * 10 + [frontal] * 10
    results = [make_result(face, index=index, timestamp=index / RATE) for index, face in enumerate(faces)]
    labels = shown(steadied(results))
    assert labels[5] is Emotion.HAPPY, "one frame alone changes nothing"
    assert labels[9:15] == [None] * 6
    assert labels[-1] is Emotion.HAPPY
    assert changes(labels) == 2
