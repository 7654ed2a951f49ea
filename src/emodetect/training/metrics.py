"""Metrics of scores: several kinds of accuracy, calibration, and the difference between two models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emodetect.types import EMOTIONS

_BINS = 15
"""Number of bins of the calibration error, as in Guo et al. 2017 (arXiv 1706.04599)."""

_MIN_CERTAIN_ACCURACY = 0.9
"""Minimum accuracy, on validation data, of readings above the uncertainty threshold."""

NEVER_CERTAIN = 0.99
"""Threshold if no readings reach that accuracy."""

_RESAMPLES = 10_000

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metrics:
    """Metrics of scores over the seven emotions; all shares are 0 to 1.

    Attributes:
        accuracy: share of correct labels.
        balanced_accuracy: mean recall over the labels that have images.
        macro_f1: mean F1 over the labels that have images.
        ece: expected calibration error, 15 bins of equal width (Guo et al. 2017).
        count: number of images.
        per_class: precision, recall, F1 and number of images per label.
        confusion: int64 (7, 7), rows are true labels, columns predicted labels, both in the order of `EMOTIONS`.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    ece: float
    count: int
    per_class: dict[str, dict[str, float]]
    confusion: IntArray

    @classmethod
    def of(cls, scores: FloatArray, truth: IntArray) -> Metrics:
        """Compute the metrics of at least one image.

        Args:
            scores: float32 (n, 7).
            truth: int64 (n,), true labels as positions in `EMOTIONS`.
        """
        from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

        positions = np.arange(len(EMOTIONS))
        answers = scores.argmax(axis=1)
        columns = precision_recall_fscore_support(truth, answers, labels=positions, zero_division=0)
        precision, recall, f1, support = (np.asarray(column) for column in columns)
        present = support > 0
        per_class = {
            emotion.value: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, emotion in enumerate(EMOTIONS)
        }
        return cls(
            accuracy=float((answers == truth).mean()),
            balanced_accuracy=float(recall[present].mean()),
            macro_f1=float(f1[present].mean()),
            ece=calibration_error(scores, truth),
            count=len(truth),
            per_class=per_class,
            confusion=np.asarray(confusion_matrix(truth, answers, labels=positions), np.int64),
        )

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary, as in the output of `emodetect evaluate`."""
        return {
            **self.overall(),
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
            "labels": [emotion.value for emotion in EMOTIONS],
        }

    def overall(self) -> dict[str, float]:
        """Metrics over all labels."""
        names = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "count")
        return {name: getattr(self, name) for name in names}


def calibration_error(scores: FloatArray, truth: IntArray) -> float:
    """Expected calibration error: the mean difference of confidence and accuracy over bins, weighted by their faces.

    Args:
        scores: float32 (n, labels).
        truth: int64 (n,), true positions.
    """
    confidence, right, counts = reliability(scores, truth)
    return float((np.abs(right - confidence) * counts).sum() / len(truth))


def reliability(scores: FloatArray, truth: IntArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], IntArray]:
    """Confidence and accuracy in 15 bins of equal width by confidence.

    Args:
        scores: float32 (n, labels).
        truth: int64 (n,), true positions.

    Returns:
        For each bin the mean confidence, the accuracy (both 0 if the bin is empty), and the number of faces.
    """
    confidence = scores.max(axis=1).astype(np.float64)
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    bins = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    mean_confidence, accuracy = (
        np.bincount(bins, weights=values, minlength=_BINS) / np.maximum(counts, 1) for values in (confidence, right)
    )
    return mean_confidence, accuracy, counts


def paired_difference(right: npt.NDArray[np.bool_], reference: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Difference in accuracy between two models on the same images, with a 95% confidence interval.

    A paired bootstrap over the images. It depends only on the numbers of images that one model, the other, or neither alone
    classifies correctly. Resampling the images is thus equivalent to drawing these three counts from a multinomial distribution.

    Args:
        right: bool (n,), where the model is correct.
        reference: bool (n,), where the other model is correct.

    Returns:
        The difference in accuracy and the ends of the interval, each -1 to 1; deterministic.
    """
    count = len(right)
    better, worse = int((right & ~reference).sum()), int((~right & reference).sum())
    shares = np.asarray([better, worse, count - better - worse]) / count
    draws = np.random.default_rng(0).multinomial(count, shares, size=_RESAMPLES)
    low, high = np.quantile((draws[:, 0] - draws[:, 1]) / count, [0.025, 0.975])
    return (better - worse) / count, float(low), float(high)


def uncertainty_threshold(scores: FloatArray, truth: IntArray) -> float:
    """The lowest confidence above which 90% of the labels are correct.

    Args:
        scores: float32 (n, 7).
        truth: int64 (n,), positions in `EMOTIONS`; -1 without an agreed label.

    Returns:
        The threshold, 0 to 1, rounded to two digits; `NEVER_CERTAIN` if there is none.
    """
    known = truth >= 0
    confidence, right = scores[known].max(axis=1), scores[known].argmax(axis=1) == truth[known]
    for threshold in np.arange(0.15, 1.0, 0.01):
        kept = confidence >= threshold
        if kept.any() and right[kept].mean() >= _MIN_CERTAIN_ACCURACY:
            return round(float(threshold), 2)
    return NEVER_CERTAIN


def accuracy_where_known(scores: FloatArray, truth: IntArray) -> float:
    """Accuracy over the faces whose true label is not -1; NaN if there are none.

    Args:
        scores: float32 (n, labels).
        truth: int64 (n,), true positions or -1.
    """
    known = truth >= 0
    return float((scores[known].argmax(axis=1) == truth[known]).mean()) if known.any() else float("nan")
