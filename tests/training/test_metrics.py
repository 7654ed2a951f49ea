from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.training.metrics import Metrics, calibration_error, paired_difference, uncertainty_threshold


def scores_for(answers: list[int], confidence: float = 0.7) -> npt.NDArray[np.float32]:
    scores = np.full((len(answers), 7), (1 - confidence) / 6, np.float32)
    scores[np.arange(len(answers)), answers] = confidence
    return scores


def test_figures_by_hand_with_labels_that_have_no_images() -> None:
    # Two labels have images: angry 3, of which 2 are found, happy 1, found; one angry face is called sad.
    truth = np.asarray([0, 0, 0, 3])
    found = Metrics.of(scores_for([0, 0, 4, 3]), truth)
    assert found.accuracy == pytest.approx(0.75)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)
    assert found.macro_f1 == pytest.approx((0.8 + 1) / 2)
    assert found.count == 4
    assert found.confusion.sum() == 4
    assert found.confusion[0, 4] == 1
    assert found.per_class["sad"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert found.per_class["angry"] == pytest.approx({"precision": 1, "recall": 2 / 3, "f1": 0.8, "support": 3})


@pytest.mark.parametrize(("confidence", "right", "error"), [(0.7, 7, 0.0), (0.9, 7, 0.2), (0.5, 10, 0.5), (1.0, 10, 0.0)])
def test_calibration_error_is_the_gap_between_confidence_and_accuracy(confidence: float, right: int, error: float) -> None:
    truth = np.asarray([0] * right + [1] * (10 - right))
    assert calibration_error(scores_for([0] * 10, confidence), truth) == pytest.approx(error, abs=1e-6)


def test_calibration_gaps_do_not_cancel_between_bins() -> None:
    scores = np.concatenate([scores_for([0] * 10, 0.9), scores_for([0] * 10, 0.5)])
    truth = np.asarray([0] * 5 + [1] * 5 + [0] * 9 + [1])
    assert calibration_error(scores, truth) == pytest.approx(0.4, abs=1e-6)


def test_paired_difference_has_the_interval_of_the_normal_approximation() -> None:
    right = np.asarray([True] * 600 + [False] * 400)
    reference = np.asarray([True] * 500 + [False] * 150 + [True] * 50 + [False] * 300)
    difference, low, high = paired_difference(right, reference)
    assert difference == pytest.approx(0.05)
    half = 1.96 * np.sqrt((0.1 + 0.05 - 0.05**2) / 1000)
    assert low == pytest.approx(0.05 - half, abs=0.003)
    assert high == pytest.approx(0.05 + half, abs=0.003)
    assert paired_difference(right, reference) == (difference, low, high)


def test_a_model_does_not_differ_from_itself() -> None:
    right = np.asarray([True, False, True])
    assert paired_difference(right, right) == (0, 0, 0)


def test_uncertainty_threshold_is_where_ninety_percent_are_right() -> None:
    scores = np.concatenate([scores_for([0] * 100, 0.4), scores_for([0] * 100, 0.8)])
    truth = np.asarray([0] * 50 + [1] * 50 + [0] * 95 + [-1] * 5)
    assert uncertainty_threshold(scores, truth) == pytest.approx(0.41)
