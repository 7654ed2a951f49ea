"""Confidence intervals of shares of time, by a block bootstrap."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from emodetect.report.person import Person
from emodetect.settings.summary import BLOCK_SECONDS
from emodetect.types import EMOTIONS

LEVEL = 0.95

MIN_BLOCKS = 6
"""Minimum number of blocks in the time of a person for an interval; with fewer, intervals are much too narrow."""

_PLACES, _DRAWS, _SEED = 500, 2000, 20130

_Array = npt.NDArray[np.float64]


def share_intervals(person: Person, block: float = BLOCK_SECONDS) -> tuple[_Array, _Array]:
    """Confidence intervals of 95% of the shares of certain time, if the readings are typical of the person.

    Neighboring readings are correlated, so that whole blocks are resampled. Blocks are taken at random positions of the time for
    which the person was seen, which is treated as circular, until they are as long as it (circular block bootstrap; Politis and
    Romano 1992). The bounds are percentiles of the shares in 2,000 resamples. They are deterministic.

    Args:
        person: the person.
        block: block length, seconds.

    Returns:
        The lower and the upper bounds, float64 (7,), in the order of `EMOTIONS`. NaN for all if the person was seen for less than
        six blocks, and for an emotion that was read never or always, for which the bootstrap is not informative.
    """
    nothing = np.full(len(EMOTIONS), np.nan)
    if round(person.seconds / block, 6) < MIN_BLOCKS:
        return nothing, nothing
    lengths = person.ends - person.starts
    certain = (person.emotions[:, None] == np.arange(len(EMOTIONS))) & ~person.uncertain[:, None]
    until = np.vstack([np.zeros(len(EMOTIONS)), np.cumsum(lengths[:, None] * certain, axis=0)])
    clock = np.append(0.0, np.cumsum(lengths))
    seen, total = clock[-1], until[-1]
    starts = np.arange(_PLACES) * seen / _PLACES
    knots, values = np.append(clock, clock[1:] + seen), np.vstack([until, until[1:] + total])
    blocks = np.column_stack([np.interp(starts + block, knots, column) - np.interp(starts, knots, column) for column in values.T])
    generator = np.random.default_rng(_SEED)
    count = round(seen / block)
    draws = (np.bincount(generator.integers(_PLACES, size=count), minlength=_PLACES) for _ in range(_DRAWS))
    drawn = np.stack([*draws]).astype(np.float64) @ blocks
    sums = drawn.sum(axis=1)
    if not sums.all():  # hardly any reading is certain
        return nothing, nothing
    tail = 100 * _tail(count)
    low, high = np.percentile(drawn / sums[:, None], [tail, 100 - tail], axis=0)
    known = (total > 0) & (total < total.sum())
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _tail(count: int) -> float:
    """Share of resamples beyond each bound: less than 2.5% for few blocks, whose resamples vary too little.

    This is the expanded percentile interval (Hesterberg 2015). The quantile of Student's t is approximated by its expansion
    (Abramowitz and Stegun, 26.7.5), which is accurate to 1% from five degrees of freedom on.
    """
    normal = NormalDist()
    z, freedom = normal.inv_cdf((1 + LEVEL) / 2), count - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return normal.cdf(-math.sqrt(count / freedom) * t)
