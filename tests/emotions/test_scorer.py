from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.emotions.scorer import EmotionScorer, readings
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import BackendError
from emodetect.settings.pipeline import PipelineSettings
from emodetect.types import EMOTIONS, Box, Emotion, EmotionScores, Face, Image
from tests.builders import FakeBackend, make_box, make_face, make_image, make_landmarks, make_scores


class Wrong(FakeBackend):
    """Answers what it is told, in turn; an exception is raised, None stands for a right answer."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self._answers = iter(answers)

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return super().classify(crops) if answer is None else answer


def read(scorer: EmotionScorer, index: int = 0) -> dict[int, EmotionScores]:
    return scorer.score([make_image()] * 2, [make_face(track_id=9), make_face(track_id=4)], index / 25, frame=f"frame {index}")


def rows(*first: float) -> npt.NDArray[np.float32]:
    """Two rows, the first one's beginning being given."""
    values = np.full((2, len(EMOTIONS)), 1 / 7, np.float32)
    values[0, : len(first)] = first
    return values


def test_scores_stay_with_their_ids() -> None:
    class BySize(FakeBackend):
        @override
        def answer(self, crop: Image) -> EmotionScores:
            self.dominant = Emotion.SAD if crop.shape[1] > 50 else Emotion.HAPPY
            return super().answer(crop)

    scorer = EmotionScorer(BySize(), None)
    crops, faces = [make_image(60), make_image(40)], [make_face(track_id=9), make_face(track_id=4)]
    scores = scorer.score(crops, faces, 0.0, frame="frame 0")
    assert {number: value.dominant for number, value in scores.items()} == {9: Emotion.SAD, 4: Emotion.HAPPY}
    assert scorer.score([], [], 0.0, frame="frame 1") == {}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(RuntimeError("out of memory"), "RuntimeError: out of memory", id="raises"),
        pytest.param(RuntimeError(), "RuntimeError: RuntimeError", id="raises without a word"),
        pytest.param(rows(np.nan), "sum to 1, got nan", id="NaN"),
        pytest.param(rows(np.inf), "sum to 1, got inf", id="infinite"),
        pytest.param(rows(0.9), "sum to 1, got 1.757", id="sum"),
        pytest.param(rows(-0.3, 1 / 7 + 0.3 + 1 / 7), "at least 0, got -0.3", id="negative"),
        pytest.param(rows()[:1], r"shape (2, 7), got (1, 7)", id="a face too few"),
        pytest.param(rows()[:, :6], r"shape (2, 7), got (2, 6)", id="a label too few"),
        pytest.param(rows()[0], r"shape (2, 7), got (7,)", id="flat"),
        pytest.param("happy", "ValueError", id="text"),
        pytest.param([[1.0] * 7, [1.0]], "ValueError", id="ragged"),
    ],
)
def test_a_frame_in_which_the_backend_fails_is_named_and_the_next_is_read(
    answer: object, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = EmotionScorer(Wrong(None, answer, None), ScoreSmoother(0.3))
    good = read(scorer, 0)
    assert read(scorer, 12) == {}
    assert [set(read(scorer, 13)), set(good)] == [{9, 4}, {9, 4}]
    [line] = caplog.messages
    assert line.startswith("frame 12: the backend fake failed")
    assert message in line
    assert "\n" not in line


def test_ten_in_a_row_end_it() -> None:
    scorer = EmotionScorer(Wrong(*[ValueError("no")] * 9, None, *[ValueError("no")] * 10), None)
    for index in range(10):
        read(scorer, index)  # the tenth is good, and counting begins anew
    for index in range(10, 19):
        assert read(scorer, index) == {}
    with pytest.raises(BackendError, match=r"frame 19: the backend fake failed in 10 frames in a row \(ValueError: no\)"):
        read(scorer, 19)
    assert PipelineSettings.max_failures == 10


def test_an_interrupt_is_no_failure() -> None:
    class Interrupted(FakeBackend):
        @override
        def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(EmotionScorer(Interrupted(), None))


def test_faces_without_scores_are_uncertain_and_keep_their_place() -> None:
    red, blue = Box(50, 100, 40, 60), Box(300, 20, 60, 40)
    faces = [make_face(red, 1), make_face(blue, 2)]
    first, second = readings(faces, {2: make_scores(confidence=0.9)}, 0.5)
    assert (first.track_id, first.box, first.scores, first.uncertain) == (1, red, None, True)
    assert second.scores is not None
    assert (second.track_id, second.box, second.uncertain) == (2, blue, False)
    assert readings([], {}, 0.5) == ()


@pytest.mark.parametrize(("nose", "uncertain"), [(0.0, False), (0.35, True), (-0.35, True)])
def test_a_face_that_is_turned_away_is_uncertain_however_high_its_score(nose: float, uncertain: bool) -> None:
    face = Face(make_box(), 4, make_landmarks(140, 105, 80, 25, nose=nose))
    [reading] = readings([face], {4: make_scores(Emotion.HAPPY, 0.99)}, 0.5)
    assert (reading.uncertain, reading.turned_away) == (uncertain, uncertain)
    assert reading.angle == pytest.approx(25, abs=1e-3)
    assert reading.shown is (None if uncertain else Emotion.HAPPY)


def test_a_face_without_landmarks_has_no_angle() -> None:
    [reading] = readings([make_face(track_id=4)], {4: make_scores(Emotion.HAPPY, 0.99)}, 0.5)
    assert (reading.angle, reading.turned_away, reading.uncertain) == (None, False, False)
