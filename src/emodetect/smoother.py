"""Steadier scores: an exponential moving average of each face's scores over time."""

from __future__ import annotations

import math

import numpy as np

from emodetect.types import EmotionScores


class ScoreSmoother:
    """Averages the scores of each face with those before it.

    Args:
        seconds: time constant; a change has reached 63 % after this long. 0 leaves scores as they are. Seconds and not
            frames, so that it means the same at 10 and at 60 frames a second.
        forget: seconds after which a face that gets no scores is forgotten.

    Attributes:
        seconds: as given; may be changed at any time.
    """

    def __init__(self, seconds: float, *, forget: float = 2.0) -> None:
        self.seconds, self._forget = seconds, forget
        self._last: dict[int, tuple[float, EmotionScores]] = {}

    def update(self, track_id: int, scores: EmotionScores, timestamp: float) -> EmotionScores:
        """Take new scores of a face at this time, seconds; returns the smoothed ones."""
        self._last = {k: v for k, v in self._last.items() if timestamp - v[0] <= self._forget}
        before = self._last.get(track_id)
        if self.seconds > 0 and before is not None:
            share = 1 - math.exp(-max(0.0, timestamp - before[0]) / self.seconds)
            values = before[1].values + np.float32(share) * (scores.values - before[1].values)
            scores = EmotionScores(values / values.sum())
        self._last[track_id] = timestamp, scores
        return scores
