"""From a model's own labels to the seven of FER-2013, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.errors import ModelError
from emodetect.types import EMOTIONS, Emotion

TUTORIAL_LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""What Keras makes of FER-2013's folders: the seven in alphabetical order."""

_SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "calm": "neutral",
}

_WITHOUT_COUNTERPART = frozenset({"contempt"})
"""Labels that some data sets have beside the seven; their share is spread over the others."""


class LabelMap:
    """Moves scores from a model's label order to `EMOTIONS`.

    Args:
        labels: what each output means; case does not matter, the nouns of FER+ (anger, happiness, ...) are known too. A label
            without a counterpart among the seven (contempt) is folded out by renormalising.

    Raises:
        ModelError: a label is unknown or stands twice.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._columns: list[tuple[int, int]] = []
        seen: set[str] = set()
        for position, label in enumerate(labels):
            name = label.strip().lower()
            name = _SYNONYMS.get(name, name)
            if name in seen:
                raise ModelError(f"the label {label!r} stands twice among {', '.join(labels)}")
            seen.add(name)
            if name in _WITHOUT_COUNTERPART:
                continue
            try:
                self._columns.append((EMOTIONS.index(Emotion(name)), position))
            except ValueError:
                raise ModelError(f"unknown label {label!r}; emodetect knows {', '.join(EMOTIONS)}, contempt") from None
        if not self._columns:
            raise ModelError(f"none of the labels {', '.join(labels)} is one of {', '.join(EMOTIONS)}")
        self.count = len(labels)

    def apply(self, outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores (n, 7) in the order of `EMOTIONS`, rows summing to 1, from a model's outputs (n, labels).

        Outputs that are no probabilities (negative, or not summing to 1) are taken for logits, and softmax is applied.

        Raises:
            ModelError: the outputs are not numbers.
        """
        if not np.isfinite(outputs).all():
            raise ModelError("the model's outputs are not finite numbers; it was saved broken, or its input is scaled otherwise")
        values = outputs.astype(np.float64)
        if (values < 0).any() or not np.allclose(values.sum(axis=1), 1, atol=1e-2):
            values = np.exp(values - values.max(axis=1, keepdims=True))
        result = np.zeros((len(values), len(EMOTIONS)))
        for emotion, position in self._columns:
            result[:, emotion] = values[:, position]
        total = result.sum(axis=1, keepdims=True)
        # All the weight on a label that was folded out says nothing about the seven.
        result = np.where(total > 1e-9, result / np.maximum(total, 1e-9), 1 / len(EMOTIONS))
        return result.astype(np.float32)
