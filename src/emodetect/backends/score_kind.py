"""What the numbers of an output are: shares of one, independent scores, percents, shares of any other sum, or logits."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

ScoreKind: TypeAlias = Literal["shares", "independent scores", "percents", "scaled scores", "logits"]
"""All but logits are divided by their sum; logits go through a softmax."""

_LIMITS: dict[ScoreKind, float] = {"shares": 1.0, "independent scores": 1.0, "percents": 100.0, "scaled scores": math.inf}
"""The largest value of each kind."""

_POSITIVE = ("softmax", "sigmoid", "hard_sigmoid")
"""Activations whose values count by their share of the sum, whatever they are multiplied by afterwards."""

_TOLERANCE = 0.02
"""Of sums and limits, as a share: networks in 16 or 8 bits are not exact."""


def find_kind(values: npt.NDArray[np.float32], activation: str | None) -> ScoreKind:
    """Decide what an output holds.

    Args:
        values: (n, labels), what it gave for several different pictures.
        activation: the last one in the network; None where it is not known.
    """
    if not np.isfinite(values).all() or (values < -1e-6).any():
        return "logits"
    for kind in ("shares", "percents"):
        if np.allclose(values.sum(axis=1), _LIMITS[kind], rtol=_TOLERANCE):
            return kind
    sums = values.sum(axis=1)
    if activation is None and sums.mean() > _LIMITS["shares"] and np.allclose(sums, sums.mean(), rtol=_TOLERANCE):
        return "scaled scores"
    if activation in _POSITIVE or (activation is None and not may_not_be(values, "independent scores")):
        return "scaled scores" if may_not_be(values, "independent scores") else "independent scores"
    return "logits"


def may_not_be(values: npt.NDArray[np.float32], kind: ScoreKind) -> bool:
    """Whether some of these values cannot be of the kind."""
    return kind != "logits" and bool((values < -1e-3).any() or (values > _LIMITS[kind] * (1 + _TOLERANCE)).any())
