from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.training.calibration import prior_offsets, temperature

COUNT = 4000


def sure_of_itself(heat: float, shares: tuple[float, ...]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Logits that are too large by a known factor, and labels drawn from what they mean without it."""
    generator = np.random.default_rng(3)
    honest = generator.normal(0, 1.5, (COUNT, len(shares))) + np.log(shares)
    scores = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = np.asarray([generator.choice(len(shares), p=row) for row in scores])
    return honest * heat, truth


@pytest.mark.parametrize("heat", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(heat: float) -> None:
    logits, truth = sure_of_itself(heat, (0.5, 0.3, 0.2))
    assert temperature(logits, truth) == pytest.approx(heat, rel=0.1)


def test_offsets_find_more_of_a_rare_label_and_cost_little() -> None:
    logits, truth = sure_of_itself(1.0, (0.6, 0.37, 0.03))
    logits[:, 2] -= 1  # as a network does that has seldom seen the label
    offsets = prior_offsets(logits, truth)
    before, after = logits.argmax(axis=1), (logits + offsets).argmax(axis=1)
    rare = truth == 2
    assert (after[rare] == 2).mean() > (before[rare] == 2).mean() + 0.05
    assert (after == truth).mean() >= (before == truth).mean() - 0.002


def test_a_label_without_faces_gets_no_offset() -> None:
    logits, truth = sure_of_itself(1.0, (0.7, 0.3))
    offsets = prior_offsets(np.column_stack([logits, np.full(COUNT, -9.0)]), truth)
    assert offsets[2] == 0
    assert offsets[1] >= offsets[0] == 0


def test_labels_that_are_alike_need_no_offsets() -> None:
    logits, truth = sure_of_itself(1.0, (0.25, 0.25, 0.25, 0.25))
    assert np.abs(prior_offsets(logits, truth)).max() < 0.15
