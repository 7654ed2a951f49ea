"""Scores that mean what they say: temperature, and offsets for labels that are seldom answered, folded into the network.

Temperature scaling after Guo et al. 2017 (arXiv 1706.04599); offsets of the logits after Menon et al. 2021 (arXiv 2007.07314),
here fitted rather than taken from the shares of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from emodetect.training.architectures.base import Head
from emodetect.training.parts import FloatArray, Part

_BALANCES = (1.0, 0.75, 0.5, 0.25)
"""How much rare labels may count for, tried in this order."""

_BALANCE_COST = 0.002
"""Accuracy that may be given for them."""

_STIFFNESS = 1e-3
"""Weight of the squares of the offsets: keeps labels with few faces from running away."""

IntArray = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float64]


def calibrate(model: keras.Model, heads: Sequence[Head], part: Part, scores: Sequence[FloatArray]) -> dict[str, dict[str, Any]]:
    """Change the last layer of each head so that its scores are as often right as they say.

    A head that learns the folders' labels also gets offsets, under which rare labels are answered more often.

    Args:
        model: a network whose head layers are called like the heads and end in a softmax.
        heads: its outputs.
        part: validation data.
        scores: the network's scores for it.

    Returns:
        For each emotion head the temperature and, where there are some, the offsets by label.
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
    """The number that logits (n, labels) must be divided by so that they fit the true positions (n,) best, by likelihood."""

    def surprise(log_heat: float) -> float:
        scaled = logits / np.exp(log_heat)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]))

    return float(np.exp(minimize_scalar(surprise, bounds=(-2.0, 2.0), method="bounded").x))


def label_offsets(logits: Logits, truth: IntArray) -> npt.NDArray[np.float64]:
    """What to add to logits (n, labels) so that rare labels are answered more often.

    The offsets are the likeliest ones when every face counts by the share of its label to the power of -b. The largest b up to 1
    is taken that costs no more than 0.2 points of accuracy; b = 1 makes all labels count alike.

    Args:
        logits: float64 (n, labels).
        truth: int64 (n,), true positions.

    Returns:
        float64 (labels,).
    """
    enough = float((logits.argmax(axis=1) == truth).mean()) - _BALANCE_COST
    for balance in _BALANCES:
        offsets = _likeliest_offsets(logits, truth, balance)
        if ((logits + offsets).argmax(axis=1) == truth).mean() >= enough:
            return offsets
    return np.zeros(logits.shape[1])


def _likeliest_offsets(logits: Logits, truth: IntArray, balance: float) -> npt.NDArray[np.float64]:
    rows = np.arange(len(truth))
    shares = np.bincount(truth, minlength=logits.shape[1]) / len(truth)
    counts = shares[truth] ** -balance
    counts /= counts.sum()

    def surprise(offsets: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        shifted = logits + offsets
        shifted = shifted - shifted.max(axis=1, keepdims=True)
        scores = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        loss = -float(counts @ np.log(scores[rows, truth])) + _STIFFNESS * float(offsets @ offsets)
        slope = scores.copy()
        slope[rows, truth] -= 1
        return loss, counts @ slope + 2 * _STIFFNESS * offsets

    return np.asarray(minimize(surprise, np.zeros(logits.shape[1]), jac=True).x)
