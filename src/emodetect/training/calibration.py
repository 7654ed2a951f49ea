"""Calibration: a temperature, and offsets for labels that are rarely predicted, folded into the network.

Temperature scaling after Guo et al. 2017 (arXiv 1706.04599); offsets of the logits after Menon et al. 2021 (arXiv 2007.07314),
here fitted rather than taken from the shares of the labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from emodetect.training.architectures.base import Head
from emodetect.training.data.part import FloatArray, Part

_WEAK = 0.55
"""Recall below which a label is raised, and up to which it is raised."""

_COST = 0.002
"""Accuracy that may be lost for it."""

_STEP, _HIGHEST = 0.05, 2.0
"""Step and limit of the search, in logits."""

_MOST = 2
"""Labels that are raised at most: all pairs of steps are tried."""

IntArray = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float64]


def calibrate(model: keras.Model, heads: Sequence[Head], part: Part, scores: Sequence[FloatArray]) -> dict[str, dict[str, Any]]:
    """Change the last layer of each head so that its confidence matches its accuracy.

    A head that learns the folders' labels also gets offsets, with which rare labels are predicted more often.

    Args:
        model: a network whose head layers are named like the heads and end in a softmax.
        heads: its outputs.
        part: validation data.
        scores: the network's scores for it.

    Returns:
        For each emotion head the temperature and, if any, the offsets by label.
    """
    found: dict[str, dict[str, Any]] = {}
    for head, target, weight, score in zip(heads, part.targets, part.weights, scores, strict=True):
        decided = (weight > 0) & (target.max(axis=1) > 0.5)
        if head.learns == "face" or not decided.any():
            continue
        logits = np.log(np.maximum(score[decided].astype(np.float64), 1e-12))
        truth = target[decided].argmax(axis=1)
        offsets = label_offsets(logits, truth) if head.learns == "label" else np.zeros(len(head.labels))
        heat = temperature(logits + offsets, truth)
        layer = model.get_layer(head.name)
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel / heat, (bias + offsets) / heat])
        found[head.name] = {"temperature": round(heat, 4)}
        if offsets.any():
            found[head.name]["offsets"] = dict(zip(head.labels, np.round(offsets, 2).tolist(), strict=True))
    return found


def temperature(logits: Logits, truth: IntArray) -> float:
    """The temperature, by which logits are divided, with the highest likelihood of the true labels.

    Args:
        logits: float64 (n, labels).
        truth: int64 (n,), true positions.
    """

    def surprise(log_heat: float) -> float:
        scaled = logits / np.exp(log_heat)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]))

    return float(np.exp(minimize_scalar(surprise, bounds=(-2.0, 2.0), method="bounded").x))


def label_offsets(logits: Logits, truth: IntArray) -> npt.NDArray[np.float64]:
    """Offsets of the logits with which labels of low recall are predicted more often.

    The two labels with the lowest recall, if it is below 55%, are raised until it reaches that or accuracy has lost 0.2 points.
    Among equally good offsets, those with the best accuracy are chosen.

    Args:
        logits: float64 (n, labels).
        truth: int64 (n,), true positions.

    Returns:
        float64 (labels,), at least 0.
    """
    present = np.unique(truth)

    def recalls(offsets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        right = (logits + offsets).argmax(axis=1) == truth
        return np.asarray([right.mean(), *(right[truth == label].mean() for label in present)])

    best = np.zeros(logits.shape[1])
    accuracy, *found = recalls(best)
    weak = sorted((recall, label) for label, recall in zip(present, found, strict=True) if recall < _WEAK)[:_MOST]
    best_figures = np.minimum(found, _WEAK).sum(), accuracy
    steps = np.arange(0, _HIGHEST + _STEP / 2, _STEP)
    for raised in itertools.product(steps, repeat=len(weak)):
        offsets = np.zeros(logits.shape[1])
        offsets[[label for _, label in weak]] = raised
        figures = recalls(offsets)
        reached = np.minimum(figures[1:], _WEAK).sum(), figures[0]
        if figures[0] >= accuracy - _COST and reached > best_figures:
            best, best_figures = offsets, reached
    return best
