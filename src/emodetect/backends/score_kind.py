"""Kind of an output's values: shares of one, independent scores, percents, shares of another sum, or logits."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

ScoreKind: TypeAlias = Literal["shares", "independent scores", "percents", "scaled scores", "logits"]
"""Kind of values. Logits go through a softmax; all others are divided by their sum."""

_LIMITS: dict[ScoreKind, float] = {"shares": 1.0, "independent scores": 1.0, "percents": 100.0, "scaled scores": math.inf}
"""Maximum value of each kind."""

_POSITIVE = ("softmax", "sigmoid", "hard_sigmoid")
"""Activations with non-negative values, which are divided by their sum whatever factor follows."""

_TOLERANCE = 0.02
"""Relative tolerance of sums and limits, for 16-bit and 8-bit networks."""


def find_kind(values: npt.NDArray[np.float32], activation: str | None) -> ScoreKind:
    """Determine the kind of an output's values.

    Args:
        values: (n, labels), outputs for several different images.
        activation: the last activation of the network; None if unknown.
    """
    if not np.isfinite(values).all() or (values < -1e-6).any():
        return "logits"
    for kind in ("shares", "percents"):
        if np.allclose(values.sum(axis=1), _LIMITS[kind], rtol=_TOLERANCE):
            return kind
    sums = values.sum(axis=1)
    if activation is None and sums.mean() > _LIMITS["shares"] and np.allclose(sums, sums.mean(), rtol=_TOLERANCE):
        return "scaled scores"
    if activation in _POSITIVE or (activation is None and not contradicts(values, "independent scores")):
        return "scaled scores" if contradicts(values, "independent scores") else "independent scores"
    return "logits"


def contradicts(values: npt.NDArray[np.float32], kind: ScoreKind) -> bool:
    """Whether some of these values contradict the kind."""
    return kind != "logits" and bool((values < -1e-3).any() or (values > _LIMITS[kind] * (1 + _TOLERANCE)).any())
