"""Stable labels with hysteresis for displays: the window, recordings and annotated clips.

Logs keep the plain reading of each frame, so that they can be evaluated and compared: there `emotion` is always the label with
the highest score.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from emodetect.types import EMOTIONS, Emotion, EmotionScores, FaceReading, FrameResult

_EVIDENCE = 0.06
"""Product of lead (less the allowance) and seconds at which a label changes: 0.1 s with a lead of 0.65, 0.4 s with one of 0.2."""

_ALLOWANCE = 0.05
"""Lead that does not count: the label stays as long as no other one leads by more."""


class StableLabels:
    """Keeps the label of each face until the evidence for another one is sufficient.

    The evidence against the current label is summed over time, as in CUSUM (Page 1954): the lead of each other emotion, and
    the distance of the confidence below the threshold or, while 'uncertain' is shown, above it; each less an allowance. So there
    are two thresholds, one for becoming uncertain and a higher one for becoming certain again. A sum never falls below zero. Once
    one is large enough, the label changes and all sums are reset. The scores of a face that is turned away have no confidence.

    Args:
        forget: seconds after which an unseen face is forgotten.
    """

    def __init__(self, *, forget: float = 2.0) -> None:
        self._forget = forget
        self._faces: dict[int, _LabelState] = {}

    def update(self, result: FrameResult) -> FrameResult:
        """Add a result; returns it with the labels to display in `FaceReading.shown`.

        Args:
            result: result of the next frame. Timestamps must not decrease; a frame may be repeated.
        """
        now = result.timestamp
        self._faces = {number: held for number, held in self._faces.items() if now - held.timestamp <= self._forget}
        return replace(result, readings=tuple(self._stabilize(reading, now) for reading in result.readings))

    def _stabilize(self, reading: FaceReading, now: float) -> FaceReading:
        if reading.scores is None:
            return reading
        held = self._faces.get(reading.track_id)
        if held is None:
            held = self._faces[reading.track_id] = _LabelState(reading.shown, now)
        else:
            confidence = 0.0 if reading.turned_away else reading.scores.confidence
            held.add_evidence(reading.scores, reading.uncertain_below - confidence, now)
        return replace(reading, uncertain=held.shown is None, held=held.shown)


@dataclass
class _LabelState:
    """The label of one face.

    Attributes:
        shown: the emotion; None for uncertain.
        timestamp: timestamp of the last reading, seconds.
        against: evidence against the label, float64 (8,), summed over time: the lead of each emotion, and the doubt or its end.
    """

    shown: Emotion | None
    timestamp: float
    against: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(EMOTIONS) + 1))

    def add_evidence(self, scores: EmotionScores, doubt: float, now: float) -> None:
        """Add the next scores of the face, and change the label if the evidence against it is sufficient.

        Args:
            scores: the scores.
            doubt: how far their confidence is below the threshold; negative above it.
            now: their time, seconds.
        """
        if self.shown is None:
            leads = np.append(np.zeros(len(EMOTIONS)), -doubt)
        else:
            leads = np.append(scores.values - scores[self.shown], doubt)
        self.against = np.maximum(0.0, self.against + (leads - _ALLOWANCE) * (now - self.timestamp))
        self.timestamp = now
        if self.against.max() >= _EVIDENCE:
            self.shown = None if doubt > 0 else scores.dominant
            self.against[:] = 0.0
