"""Which pixels a network wants that scales its input by itself: decided by the numbers that its first layers make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import IMAGENET, Scaling

FloatArray = npt.NDArray[np.float64]

_RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5))
"""Ranges in which networks are given their pixels, the likeliest first."""


_EXACT = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0))
"""Ranges that people bring them to."""


_SMALLEST_PICTURE = 16 * 16
"""Numbers that a mean picture has at least."""


@dataclass(frozen=True)
class Affine:
    """What the layers up to some point make of the input: ``input * scale + offset``, each a number or one per channel.

    Attributes:
        layers: the layers or operators that do so, in order, in words; those that change nothing are left out.
        before: the same without the last of them; None where there is none.
    """

    scale: FloatArray
    offset: FloatArray
    layers: tuple[str, ...] = ()
    before: Affine | None = None

    def then(self, scale: npt.ArrayLike, offset: npt.ArrayLike, layer: str) -> Affine:
        """This, and after it one more layer."""
        factor, term = (np.asarray(value, np.float64).ravel() for value in (scale, offset))
        if np.allclose(factor, 1, atol=1e-3) and np.allclose(term, 0, atol=1e-3):
            return self
        return Affine(self.scale * factor, self.offset * factor + term, (*self.layers, layer), self)

    def bent(self, layer: str) -> Affine:
        """This, and after it a layer that does other arithmetic, such as a power; no range can be read from it."""
        unknown = np.full(1, np.nan)
        return Affine(unknown, unknown, (*self.layers, layer))

    def summed(self) -> Affine:
        """This, and after it the sum over the channels: with weights before it, what makes colors gray."""
        total = replace(self, scale=self.scale.sum(keepdims=True), offset=self.offset.sum(keepdims=True))
        unchanged = self.before is not None and np.allclose(total.ends(0, 1), self.before.ends(0, 1), atol=1e-3)
        return self.before if unchanged and self.before is not None else total

    def ends(self, low: float, high: float) -> tuple[float, float]:
        """Where an input from ``low`` to ``high`` lies afterwards, over all channels."""
        scale, offset = float(np.mean(self.scale)), float(np.mean(self.offset))
        first, second = scale * low + offset, scale * high + offset
        return min(first, second), max(first, second)


IDENTITY = Affine(np.ones(1), np.zeros(1))


def as_constant(values: npt.ArrayLike) -> FloatArray | None:
    """A constant that is added or multiplied: one number, or one per channel; of a whole picture its mean; None for any other."""
    numbers = np.asarray(values, np.float64).ravel()
    if numbers.size >= _SMALLEST_PICTURE:
        return np.asarray([numbers.mean()])
    return numbers if numbers.size in (1, 3) else None


def gray_weights(values: npt.ArrayLike) -> FloatArray | None:
    """The factor of the weights that make one gray value of three colors; None where these are others."""
    weights = np.asarray(values, np.float64).ravel()
    total = weights.sum(keepdims=True)
    is_gray = (
        weights.size == 3 and bool((weights >= 0).all()) and any(np.isclose(total, usual, rtol=0.02) for usual in (1, 1 / 255))
    )
    return total if is_gray else None


@dataclass(frozen=True)
class OwnScaling:
    """What a network does to its input by itself.

    Attributes:
        layers: what does it, in words.
        wants: the scaling of the pixels that it wants; None where its numbers fit no usual range.
    """

    layers: str
    wants: Scaling | None


def judge(ends: Sequence[Affine]) -> OwnScaling | None:
    """Find what a network wants, from what its branches make of the input before they begin to learn.

    Args:
        ends: one for each branch; a network without branches has one.

    Returns:
        None where no branch changes its input.
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
        if np.allclose(mapped, [[0] * 3, [1] * 3], atol=0.03):  # it undoes what is done to ImageNet's pixels
            return IMAGENET
    step: Affine | None = affine
    while step is not None and step.layers:  # what the last layer makes of it says most
        # To multiply says nothing of a range that has negative numbers: of 0 to 1 it would be as good.
        multiplies = np.allclose(step.offset, 0)
        for low, high in _RANGES:
            # A range that stays as it is says nothing: beside 255 the mean of pixels from 0 to 1 is as good as 0.
            nearness = 0.002 if low == -0.5 else 0.02  # the mean and the deviation of other pictures come near that
            if not (multiplies and low) and any(
                np.allclose(step.ends(low, high), exact, atol=nearness * (exact[1] - exact[0]))
                for exact in _EXACT
                if exact != (low, high)
            ):
                return Scaling.to_range(low, high)
        step = step.before
    # A layer that standardizes has learned its mean, also one of 0, which no pixels from 0 to 1 have.
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
    """Whether these are the mean and the standard deviation of pictures with pixels in a range.

    No numbers within a range have a larger variance than those of which all are its ends.
    """
    largest = math.sqrt(max(0.0, (high - mean) * (mean - low)))
    return 0.1 * (high - low) / 2 <= deviation <= min(largest, 0.8 * (high - low) / 2)


def quantized_input(low: float, high: float) -> OwnScaling:
    """What a network wants that makes bytes of its input: pixels in the range, from low to high, that these bytes stand for."""
    usual = next((ends for ends in _EXACT if np.allclose((low, high), ends, atol=0.05 * (ends[1] - ends[0]))), (low, high))
    return OwnScaling(f"QuantizeLinear of {low:.3g} to {high:.3g}", Scaling.to_range(*usual))


def _is_unit(low: float, high: float) -> bool:
    """Whether these are ends as learning layers like them: 0 to 1, -1 to 1, or mean 0 and deviation 1."""
    return 0.9 <= high - low <= 12 and low <= 0.1 and low >= -6.5 and high <= 6.5


def _is_byte(low: float, high: float) -> bool:
    """Whether these are ends of bytes, as they are or with their mean taken off."""
    return 200 <= high - low <= 300 and -160 <= low <= 1
