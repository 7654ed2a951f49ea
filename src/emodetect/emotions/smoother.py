"""Exponential moving average of each face's scores over time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emodetect.types import EmotionScores


class ScoreSmoother:
    """Averages the scores of each face over time, with weights that decrease with age.

    From the second scores of a face on, the weights sum to one. So the first scores, often of a face that is only partly in view,
    weigh no more than the time that they cover.

    Args:
        seconds: time constant, after which 63% of a change is visible in the scores of a face known for longer; 0 for no
            smoothing. In seconds, not frames, so that it means the same at 10 and at 60 fps.
        forget: seconds after which a face without scores is forgotten.

    Attributes:
        seconds: as given; may be changed at any time.
    """

    def __init__(self, seconds: float, *, forget: float = 2.0) -> None:
        self.seconds, self._forget = seconds, forget
        self._last: dict[int, _Average] = {}

    def update(self, track_id: int, scores: EmotionScores, timestamp: float) -> EmotionScores:
        """Add the scores of a face; returns the smoothed scores.

        Args:
            track_id: id of the face.
            scores: the new scores.
            timestamp: their time, seconds.
        """
        self._last = {k: v for k, v in self._last.items() if timestamp - v.timestamp <= self._forget}
        before = self._last.get(track_id)
        if before is None:
            self._last[track_id] = _Average(scores, timestamp)
            return scores
        passed = max(0.0, timestamp - before.timestamp)
        # The first scores are assumed to have lasted for as long as the time to the second.
        age = before.age + passed if before.age else 2 * passed
        if self.seconds > 0:
            share = math.expm1(-passed / self.seconds) / math.expm1(-age / self.seconds) if passed else 0.0
            values = before.scores.values + np.float32(share) * (scores.values - before.scores.values)
            scores = EmotionScores(values / values.sum())
        self._last[track_id] = _Average(scores, timestamp, age)
        return scores


@dataclass(frozen=True)
class _Average:
    """State of a face: the average, the time of its last scores, and the total time that they cover, seconds."""

    scores: EmotionScores
    timestamp: float
    age: float = 0.0
