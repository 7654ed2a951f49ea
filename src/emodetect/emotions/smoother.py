"""Steadier scores: an exponential moving average of each face's scores over time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emodetect.types import EmotionScores


class ScoreSmoother:
    """Averages the scores of each face with those before it, the weight of each falling with its age.

    The weights of what has been seen of a face sum to one from its second scores on, so that the first ones, often of a face that
    is just coming into sight, count for no more than their time.

    Args:
        seconds: time constant; of a face that is known for longer a change has reached 63 % after this long. 0 leaves scores as
            they are. Seconds and not frames, so that it means the same at 10 and at 60 frames a second.
        forget: seconds after which a face that gets no scores is forgotten.

    Attributes:
        seconds: as given; may be changed at any time.
    """

    def __init__(self, seconds: float, *, forget: float = 2.0) -> None:
        self.seconds, self._forget = seconds, forget
        self._last: dict[int, _Average] = {}

    def update(self, track_id: int, scores: EmotionScores, timestamp: float) -> EmotionScores:
        """Take new scores of a face at this time, seconds; returns the smoothed ones."""
        self._last = {k: v for k, v in self._last.items() if timestamp - v.timestamp <= self._forget}
        before = self._last.get(track_id)
        if before is None:
            self._last[track_id] = _Average(scores, timestamp)
            return scores
        passed = max(0.0, timestamp - before.timestamp)
        # The first scores are taken to have lasted for as long as it was to the second.
        age = before.age + passed if before.age else 2 * passed
        if self.seconds > 0:
            share = math.expm1(-passed / self.seconds) / math.expm1(-age / self.seconds) if passed else 0.0
            values = before.scores.values + np.float32(share) * (scores.values - before.scores.values)
            scores = EmotionScores(values / values.sum())
        self._last[track_id] = _Average(scores, timestamp, age)
        return scores


@dataclass(frozen=True)
class _Average:
    """What is known of a face: the average, when it got its last scores, and how much time they stand for in all, seconds."""

    scores: EmotionScores
    timestamp: float
    age: float = 0.0
