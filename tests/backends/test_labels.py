from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest

from emodetect.backends.labels import TUTORIAL_LABELS, LabelMap
from emodetect.errors import ModelError
from emodetect.types import EMOTIONS, Emotion

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
NAMES = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}


def one_hot(count: int, position: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.eye(count, dtype=np.float32)[[position]]


def winner(labels: Sequence[str], position: int) -> Emotion:
    return EMOTIONS[int(LabelMap(labels).apply(one_hot(len(labels), position)).argmax())]


@pytest.mark.parametrize("labels", [FER2013, TUTORIAL_LABELS, FER2013[::-1], *list(permutations(FER2013))[1234::1500]])
@pytest.mark.parametrize("position", range(7))
def test_each_output_goes_to_the_emotion_of_its_name(labels: Sequence[str], position: int) -> None:
    assert winner(labels, position).value == labels[position]


def test_keras_folders_are_alphabetical_and_not_in_the_order_of_fer2013() -> None:
    assert sorted(FER2013) == list(TUTORIAL_LABELS)
    assert tuple(TUTORIAL_LABELS) != FER2013


@pytest.mark.parametrize("position", range(7))
def test_the_nouns_of_ferplus_are_known(position: int) -> None:
    assert winner(FERPLUS, position).value == NAMES[FERPLUS[position]]


@pytest.mark.parametrize("label", ["Happy", " happy ", "HAPPINESS", "joy"])
def test_case_and_spaces_do_not_matter(label: str) -> None:
    assert winner(["sad", label], 1) is Emotion.HAPPY


def test_contempt_is_folded_out_by_renormalizing() -> None:
    # neutral 0.2, happiness 0.3, contempt 0.5: without contempt 0.4 and 0.6.
    outputs = np.zeros((1, 8), np.float32)
    outputs[0, [0, 1, 7]] = 0.2, 0.3, 0.5
    [scores] = LabelMap(FERPLUS).apply(outputs)
    assert scores[EMOTIONS.index(Emotion.NEUTRAL)] == pytest.approx(0.4)
    assert scores[EMOTIONS.index(Emotion.HAPPY)] == pytest.approx(0.6)


def test_a_value_that_is_no_emotions_is_left_out_first() -> None:
    logits = np.asarray([[1.0, 2.0, 40.0, -3.0]], np.float32)
    [scores] = LabelMap(["happy", "sad", "-", " - "]).apply(logits, "logits")

    assert scores[EMOTIONS.index(Emotion.SAD)] == pytest.approx(1 / (1 + np.exp(-1)))


def test_contempt_alone_says_nothing_about_the_seven() -> None:
    [scores] = LabelMap(FERPLUS).apply(one_hot(8, 7))
    np.testing.assert_allclose(scores, np.full(7, 1 / 7), atol=1e-6)


def test_a_label_that_a_model_does_not_have_scores_nothing() -> None:
    [scores] = LabelMap(["happy", "sad"]).apply(np.asarray([[0.25, 0.75]], np.float32))
    expected = dict.fromkeys(EMOTIONS, 0.0) | {Emotion.HAPPY: 0.25, Emotion.SAD: 0.75}
    np.testing.assert_allclose(scores, list(expected.values()))


@pytest.mark.parametrize("labels", [FER2013, TUTORIAL_LABELS, FERPLUS, ("happy",), ("happy", "contempt")])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_shape_type_and_sum_hold_for_any_number_of_faces(labels: Sequence[str], count: int) -> None:
    values = np.random.default_rng(2).dirichlet(np.ones(len(labels)), count).astype(np.float32).reshape(count, len(labels))
    result = LabelMap(labels).apply(values)
    assert result.shape == (count, 7)
    assert result.dtype == np.float32
    assert (result >= 0).all()
    np.testing.assert_allclose(result.sum(axis=1), np.ones(count), atol=1e-5)


def test_probabilities_stay_as_they_are() -> None:
    values = np.asarray([[0.05, 0.1, 0.15, 0.3, 0.2, 0.12, 0.08], [0, 0, 0, 1, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(LabelMap(FER2013).apply(values), values, atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 1000.0, -1000.0])
def test_logits_are_put_through_softmax(shift: float) -> None:
    logits = np.asarray([[1, 2, 3, 4, 0, -1, -2]], np.float32)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(LabelMap(FER2013).apply(logits + np.float32(shift), "logits"), expected, rtol=1e-3)


def test_softmax_counts_contempt_before_it_is_folded_out() -> None:
    logits = np.asarray([[2.0, 1.0, 0, 0, 0, 0, 0, 9.0]], np.float32)
    [scores] = LabelMap(FERPLUS).apply(logits, "logits")
    ratio = scores[EMOTIONS.index(Emotion.NEUTRAL)] / scores[EMOTIONS.index(Emotion.HAPPY)]
    assert ratio == pytest.approx(np.e, rel=1e-3)
    assert scores.sum() == pytest.approx(1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_outputs_that_are_no_numbers_are_an_error(value: float) -> None:
    outputs = np.full((1, 7), 1 / 7, np.float32)
    outputs[0, 3] = value
    with pytest.raises(ModelError, match="not finite"):
        LabelMap(FER2013).apply(outputs)


def test_what_was_given_is_not_changed() -> None:
    logits = np.asarray([[1, 2, 3, 4, 0, -1, -2]], np.float32)
    before = logits.copy()
    LabelMap(FER2013).apply(logits, "logits")
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("labels", [FER2013, FERPLUS, ("happy",)])
def test_the_number_of_outputs_that_is_expected(labels: Sequence[str]) -> None:
    assert LabelMap(labels).count == len(labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param((), "none of the labels", id="none"),
        pytest.param(("contempt",), "none of the labels", id="only contempt"),
        pytest.param(("happy", "bored"), "unknown label 'bored'", id="unknown"),
        pytest.param(("happy", ""), "unknown label ''", id="empty"),
        pytest.param(("happy", "sad", "Happy"), "'Happy' stands twice", id="twice"),
        pytest.param(("happy", "sad", "joy"), "'joy' stands twice", id="twice by another name"),
        pytest.param(("happy", "contempt", "contempt"), "'contempt' stands twice", id="contempt twice"),
    ],
)
def test_labels_that_cannot_be_mapped_are_an_error(labels: Sequence[str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        LabelMap(labels)


def test_a_label_that_is_near_is_proposed() -> None:
    with pytest.raises(ModelError, match=r"unknown label 'hapy'.*did you mean 'happy'\?"):
        LabelMap(["hapy", "sad"])
