"""Calibration: a temperature, and offsets in favor of rare labels, folded into the network.

Temperature scaling after Guo et al. 2017 (arXiv 1706.04599); offsets from the shares of the labels after Menon et al. 2021
(arXiv 2007.07314).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from emodetect.training.architectures.base import Head
from emodetect.training.data.part import FloatArray, Part

if TYPE_CHECKING:
    import keras

_COST = 0.002
"""Maximum loss of accuracy by the offsets."""

_STRENGTHS = np.arange(21) / 20
"""Tried strengths of the offsets: 0 for none, 1 for labels that are then predicted as if all were equally frequent."""

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
        offsets = prior_offsets(logits, truth) if head.learns == "label" else np.zeros(len(head.labels))
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

    def mean_loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]))

    return float(np.exp(minimize_scalar(mean_loss, bounds=(-2.0, 2.0), method="bounded").x))


def prior_offsets(logits: Logits, truth: IntArray) -> npt.NDArray[np.float64]:
    """Offsets of the logits with which rare labels are predicted more often.

    They are the logarithms of the labels' shares times a strength. Of the strengths that cost at most 0.2 points of accuracy, the
    one with the best balanced accuracy is chosen. Only this number is fitted: offsets that are fitted label by label do not carry
    over to other faces.

    Args:
        logits: float64 (n, labels).
        truth: int64 (n,), true positions.

    Returns:
        float64 (labels,): 0 for the most frequent label, more for rarer ones. 0 for labels without faces.
    """
    counts = np.bincount(truth, minlength=logits.shape[1])
    present = np.flatnonzero(counts)
    rarity = np.zeros(len(counts))
    rarity[present] = np.log(counts.max() / counts[present])

    def figures(strength: float) -> tuple[float, float]:
        right = (logits + strength * rarity).argmax(axis=1) == truth
        return float(right.mean()), float(np.mean([right[truth == label].mean() for label in present]))

    found = [figures(strength) for strength in _STRENGTHS]
    lowest = found[0][0] - _COST
    balanced = [recall if accuracy >= lowest else 0.0 for accuracy, recall in found]
    return np.asarray(_STRENGTHS[int(np.argmax(balanced))] * rarity, np.float64)
