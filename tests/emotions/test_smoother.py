from __future__ import annotations

import math

import numpy as np
import pytest

from emodetect.emotions.smoother import ScoreSmoother
from emodetect.types import EMOTIONS, Emotion, EmotionScores
from tests.builders import make_scores

HAPPY, SAD = EMOTIONS.index(Emotion.HAPPY), EMOTIONS.index(Emotion.SAD)


def only(emotion: Emotion) -> EmotionScores:
    return EmotionScores(np.asarray([float(e is emotion) for e in EMOTIONS], np.float32))


def settled(seconds: float, emotion: Emotion) -> ScoreSmoother:
    """One that has seen a face show this for a hundred time constants, until time 0."""
    smoother = ScoreSmoother(seconds, forget=math.inf)
    for timestamp in (-100 * seconds, 0.0):
        smoother.update(1, only(emotion), timestamp)
    return smoother


@pytest.mark.parametrize("seconds", [0.3, 5.0])
@pytest.mark.parametrize("rate", [10, 25])
def test_the_first_scores_weigh_no_more_than_their_time(seconds: float, rate: int) -> None:
    smoother = ScoreSmoother(seconds)
    weights = np.exp(-np.arange(20) / rate / seconds)[::-1]
    for index in range(20):
        result = smoother.update(1, only(Emotion.SAD if index == 0 else Emotion.HAPPY), index / rate)
    assert result.values[SAD] == pytest.approx(weights[0] / weights.sum(), abs=1e-4)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 5.0])
def test_the_first_scores_of_a_face_are_taken_as_they_are(seconds: float) -> None:
    scores = make_scores()
    np.testing.assert_array_equal(ScoreSmoother(seconds).update(1, scores, 0.0).values, scores.values)


@pytest.mark.parametrize("rate", [1, 10, 25, 60])
@pytest.mark.parametrize("seconds", [0.5, 1.0])
def test_a_change_has_reached_63_percent_after_the_time_constant_at_any_rate(seconds: float, rate: int) -> None:
    smoother = settled(seconds, Emotion.HAPPY)
    count = max(1, round(seconds * rate))
    for index in range(1, count + 1):
        result = smoother.update(1, only(Emotion.SAD), index * seconds / count)
    assert result.values[SAD] == pytest.approx(1 - math.exp(-1), abs=1e-4)
    assert result.values[HAPPY] == pytest.approx(math.exp(-1), abs=1e-4)


def test_zero_seconds_leave_scores_as_they_are() -> None:
    smoother = ScoreSmoother(0.0)
    smoother.update(1, only(Emotion.HAPPY), 0.0)
    np.testing.assert_array_equal(smoother.update(1, only(Emotion.SAD), 0.04).values, only(Emotion.SAD).values)


def test_a_longer_time_constant_is_slower() -> None:
    shares = []
    for seconds in (0.1, 0.3, 1.0):
        smoother = settled(seconds, Emotion.HAPPY)
        shares.append(smoother.update(1, only(Emotion.SAD), 0.1).values[SAD])
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(1 - math.exp(-1), abs=1e-4)


def test_faces_do_not_mix() -> None:
    smoother = ScoreSmoother(0.3)
    smoother.update(1, only(Emotion.HAPPY), 0.0)
    assert smoother.update(2, only(Emotion.SAD), 0.04).values[HAPPY] == 0
    assert smoother.update(1, only(Emotion.HAPPY), 0.08).values[SAD] == 0


def test_a_face_that_is_forgotten_begins_anew() -> None:
    smoother = ScoreSmoother(10.0, forget=2.0)
    smoother.update(1, only(Emotion.HAPPY), 0.0)
    np.testing.assert_array_equal(smoother.update(1, only(Emotion.SAD), 2.5).values, only(Emotion.SAD).values)


def test_a_face_is_remembered_as_long_as_said_while_others_are_seen() -> None:
    smoother = ScoreSmoother(10.0, forget=2.0)
    smoother.update(1, only(Emotion.HAPPY), 0.0)
    smoother.update(2, only(Emotion.HAPPY), 1.0)
    assert smoother.update(1, only(Emotion.SAD), 1.9).values[HAPPY] > 0.4


def test_scores_of_the_same_or_an_earlier_time_change_nothing() -> None:
    smoother = ScoreSmoother(0.3)
    smoother.update(1, only(Emotion.HAPPY), 1.0)
    for timestamp in (1.0, 0.5):
        np.testing.assert_array_equal(smoother.update(1, only(Emotion.SAD), timestamp).values, only(Emotion.HAPPY).values)


def test_the_sum_stays_one_over_many_updates() -> None:
    smoother, generator = ScoreSmoother(0.3), np.random.default_rng(1)
    for index in range(3000):
        values = generator.dirichlet(np.full(7, 0.3)).astype(np.float32)
        result = smoother.update(1, EmotionScores(values), index / 30)
    assert result.values.dtype == np.float32
    assert result.values.sum() == pytest.approx(1, abs=1e-5)
    assert (result.values >= 0).all()


def test_what_was_given_is_not_changed() -> None:
    smoother = ScoreSmoother(0.3)
    first, second = only(Emotion.HAPPY), only(Emotion.SAD)
    smoother.update(1, first, 0.0)
    smoother.update(1, second, 0.04)
    np.testing.assert_array_equal(first.values, only(Emotion.HAPPY).values)
    np.testing.assert_array_equal(second.values, only(Emotion.SAD).values)
