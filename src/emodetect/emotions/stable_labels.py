"""Labels that do not flicker, for what people look at: the window, recordings and annotated clips.

Logs keep the plain reading of each frame, so that they can be judged and compared; `emotion` there is always the label with the
highest score.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from emodetect.types import EMOTIONS, Emotion, EmotionScores, FaceReading, FrameResult

_EVIDENCE = 0.06
"""Lead, less the allowance, times seconds after which a label changes: 0.1 s with a lead of 0.65, 0.4 s with one of 0.2."""

_ALLOWANCE = 0.05
"""A lead that counts for nothing: what is shown stays for as long as nothing leads by more."""


class SteadyLabels:
    """Holds on to what each face shows until something else has led clearly, or for long.

    What speaks against the label that is shown is summed over time, as in a CUSUM chart (Page 1954): the lead of each other
    emotion, and how far the confidence is below the threshold or, while 'uncertain' is shown, above it; each less an allowance.
    So there are two thresholds, one for becoming uncertain and a higher one for becoming sure again. A sum never falls below
    zero, and once one is large enough, the label changes and all of them start anew.

    Args:
        forget: seconds after which a face that is not seen is forgotten.
    """

    def __init__(self, *, forget: float = 2.0) -> None:
        self._forget = forget
        self._faces: dict[int, _Held] = {}

    def update(self, result: FrameResult) -> FrameResult:
        """The result with readings that say what to show, as `FaceReading.shown`.

        Args:
            result: of the next frame; its time does not go back. A frame may come twice.
        """
        now = result.timestamp
        self._faces = {number: held for number, held in self._faces.items() if now - held.timestamp <= self._forget}
        return replace(result, readings=tuple(self._steadied(reading, now) for reading in result.readings))

    def _steadied(self, reading: FaceReading, now: float) -> FaceReading:
        if reading.scores is None:
            return reading
        held = self._faces.get(reading.track_id)
        if held is None:
            held = self._faces[reading.track_id] = _Held(reading.shown, now)
        else:
            held.weigh(reading.scores, reading.uncertain_below, now)
        return replace(reading, uncertain=held.shown is None, held=held.shown)


@dataclass
class _Held:
    """What one face shows.

    Attributes:
        shown: the emotion, None for uncertain.
        timestamp: when the face was read last, seconds.
        against: what speaks against it, float64 (8,): each emotion's lead, and the doubt or its end, summed over time.
    """

    shown: Emotion | None
    timestamp: float
    against: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(EMOTIONS) + 1))

    def weigh(self, scores: EmotionScores, uncertain_below: float, now: float) -> None:
        """Take the next scores of the face, and change what is shown if there is enough against it."""
        doubt = uncertain_below - scores.confidence
        if self.shown is None:
            leads = np.append(np.zeros(len(EMOTIONS)), -doubt)
        else:
            leads = np.append(scores.values - scores[self.shown], doubt)
        self.against = np.maximum(0.0, self.against + (leads - _ALLOWANCE) * (now - self.timestamp))
        self.timestamp = now
        if self.against.max() >= _EVIDENCE:
            self.shown = None if doubt > 0 else scores.dominant
            self.against[:] = 0.0
