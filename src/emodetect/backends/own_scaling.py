"""Input range of a network that scales its input itself, inferred from the constants in its first layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import IMAGENET, Scaling

FloatArray = npt.NDArray[np.float64]

_RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5))
"""Common input ranges of networks, the most likely first."""


_COMMON_RANGES = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0))
"""Common ranges after the scaling in the network."""


_MIN_IMAGE_PIXELS = 16 * 16
"""Minimum number of values in a mean image."""


@dataclass(frozen=True)
class Affine:
    """Affine transform from the input to a point in the network: ``input * scale + offset``, each a number or one per channel.

    Attributes:
        layers: its layers or operators in order, in words, without those that change nothing.
        before: the transform without the last layer; None if there is none.
    """

    scale: FloatArray
    offset: FloatArray
    layers: tuple[str, ...] = ()
    before: Affine | None = None

    def with_layer(self, scale: npt.ArrayLike, offset: npt.ArrayLike, layer: str) -> Affine:
        """Append a layer."""
        factor, term = (np.asarray(value, np.float64).ravel() for value in (scale, offset))
        if np.allclose(factor, 1, atol=1e-3) and np.allclose(term, 0, atol=1e-3):
            return self
        return Affine(self.scale * factor, self.offset * factor + term, (*self.layers, layer), self)

    def with_nonlinear(self, layer: str) -> Affine:
        """Append a non-affine layer, such as a power; no range can be inferred from it."""
        unknown = np.full(1, np.nan)
        return Affine(unknown, unknown, (*self.layers, layer))

    def with_sum(self) -> Affine:
        """Append a sum over the channels, which with weights before it converts colors to gray."""
        total = replace(self, scale=self.scale.sum(keepdims=True), offset=self.offset.sum(keepdims=True))
        unchanged = self.before is not None and np.allclose(total.ends(0, 1), self.before.ends(0, 1), atol=1e-3)
        return self.before if unchanged and self.before is not None else total

    def ends(self, low: float, high: float) -> tuple[float, float]:
        """Range, over all channels, to which the input range from ``low`` to ``high`` is mapped."""
        scale, offset = float(np.mean(self.scale)), float(np.mean(self.offset))
        first, second = scale * low + offset, scale * high + offset
        return min(first, second), max(first, second)


IDENTITY = Affine(np.ones(1), np.zeros(1))


def as_constant(values: npt.ArrayLike) -> FloatArray | None:
    """Reduce a constant operand: a number, one per channel, or the mean of a whole image; None for any other shape."""
    numbers = np.asarray(values, np.float64).ravel()
    if numbers.size >= _MIN_IMAGE_PIXELS:
        return np.asarray([numbers.mean()])
    return numbers if numbers.size in (1, 3) else None


def gray_weights(values: npt.ArrayLike) -> FloatArray | None:
    """Sum of weights that convert three colors to gray; None for other weights."""
    weights = np.asarray(values, np.float64).ravel()
    total = weights.sum(keepdims=True)
    is_gray = (
        weights.size == 3 and bool((weights >= 0).all()) and any(np.isclose(total, usual, rtol=0.02) for usual in (1, 1 / 255))
    )
    return total if is_gray else None


@dataclass(frozen=True)
class OwnScaling:
    """Scaling of the input inside the network.

    Attributes:
        layers: the layers that scale, in words.
        expected: the scaling that the network expects before them; None if the constants fit no common range.
    """

    layers: str
    expected: Scaling | None


def infer_scaling(ends: Sequence[Affine]) -> OwnScaling | None:
    """Infer the expected input range from the transforms of all branches, up to their first trained layer.

    Args:
        ends: one transform per branch; a network without branches has one.

    Returns:
        None if no branch changes its input.
    """
    changed = [end for end in ends if end.layers]
    if not changed:
        return None
    wanted = [_wanted(end) for end in changed]
    layers = " and ".join(dict.fromkeys(layer for end in changed for layer in end.layers))
    agreed = all(one == wanted[0] for one in wanted) and len(changed) == len(ends)
    return OwnScaling(layers, wanted[0] if agreed else None)


def _wanted(affine: Affine) -> Scaling | None:
    if len(affine.scale) == 3 or len(affine.offset) == 3:
        mapped = affine.scale * np.add.outer((0, 255), np.zeros(3)) * IMAGENET.scale
        mapped = mapped + affine.scale * np.asarray(IMAGENET.offset) + affine.offset
        if np.allclose(mapped, [[0] * 3, [1] * 3], atol=0.03):  # it inverts the normalization of ImageNet
            return IMAGENET
    step: Affine | None = affine
    while step is not None and step.layers:  # the last layer is the most informative
        # A factor alone is no evidence for a signed range: the range 0 to 1 would fit as well.
        multiplies = np.allclose(step.offset, 0)
        for low, high in _RANGES:
            # An identity is no evidence: on the scale of 255, the mean of pixels from 0 to 1 is close to 0.
            nearness = 0.002 if low == -0.5 else 0.02  # mean and deviation of other images come close to that range
            if not (multiplies and low) and any(
                np.allclose(step.ends(low, high), exact, atol=nearness * (exact[1] - exact[0]))
                for exact in _COMMON_RANGES
                if exact != (low, high)
            ):
                return Scaling.to_range(low, high)
        step = step.before
    # A standardization layer has a trained mean, also one of 0, which pixels from 0 to 1 never have.
    multiplies = np.allclose(affine.offset, 0) and "Normalization" not in affine.layers[-1]
    if not multiplies:
        mean, deviation = float(np.mean(-affine.offset / affine.scale)), float(np.mean(1 / np.abs(affine.scale)))
        for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
            if _may_be_of(mean, deviation, low, high):
                return Scaling.to_range(low, high)
    for fits in (_is_unit, _is_byte):
        found = [ends for ends in _RANGES if fits(*affine.ends(*ends)) and not (multiplies and ends[0])]
        if found:
            return Scaling.to_range(*found[0]) if len(found) == 1 else None
    return None


def _may_be_of(mean: float, deviation: float, low: float, high: float) -> bool:
    """Whether mean and standard deviation are possible for pixels in this range.

    The variance is largest if all values are at the ends of the range.
    """
    largest = math.sqrt(max(0.0, (high - mean) * (mean - low)))
    return 0.1 * (high - low) / 2 <= deviation <= min(largest, 0.8 * (high - low) / 2)


def quantized_input(low: float, high: float) -> OwnScaling:
    """Scaling expected by a network with a quantized input: the range from low to high that its bytes represent."""
    usual = next(
        (ends for ends in _COMMON_RANGES if np.allclose((low, high), ends, atol=0.05 * (ends[1] - ends[0]))), (low, high)
    )
    return OwnScaling(f"QuantizeLinear of {low:.3g} to {high:.3g}", Scaling.to_range(*usual))


def _is_unit(low: float, high: float) -> bool:
    """Whether this is a usual range for trained layers: 0 to 1, -1 to 1, or mean 0 and deviation 1."""
    return 0.9 <= high - low <= 12 and low <= 0.1 and low >= -6.5 and high <= 6.5


def _is_byte(low: float, high: float) -> bool:
    """Whether this is the range of bytes, with or without their mean subtracted."""
    return 200 <= high - low <= 300 and -160 <= low <= 1
