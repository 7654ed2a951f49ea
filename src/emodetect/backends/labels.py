"""From a model's own labels to the seven of FER-2013, or these and contempt, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.backends.score_kind import ScoreKind
from emodetect.errors import ModelError
from emodetect.text.suggestions import did_you_mean
from emodetect.types import EMOTIONS

TUTORIAL_LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""What Keras makes of FER-2013's folders: the seven in alphabetical order."""

EIGHT_LABELS = (*(emotion.value for emotion in EMOTIONS), "contempt")
"""The seven of `EMOTIONS`, then contempt, which FER+ has besides."""

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The order of FER+, and of the network in the ONNX model zoo."""

AFFECTNET_LABELS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""The eight in alphabetical order, as folders of AffectNet give them."""

NO_LABEL = "-"
"""Among labels: a value of the output that is no emotion's."""

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
    "contemptuous": "contempt",
}


def known_label(name: str) -> str | None:
    """The label of `EIGHT_LABELS` that a word stands for, whatever its case; None where it stands for none."""
    name = name.strip().lower()
    name = _SYNONYMS.get(name, name)
    return name if name in EIGHT_LABELS else None


def assumed_labels(count: int, *, is_gray_64: bool) -> tuple[tuple[str, ...], str] | None:
    """What as many outputs most often mean, and in which order that is, in words; None where nothing is usual.

    Args:
        count: number of values.
        is_gray_64: the network takes 64x64 gray pixels, as those do that were trained on FER+.
    """
    if count == len(TUTORIAL_LABELS):
        return TUTORIAL_LABELS, "in alphabetical order"
    if count == len(FERPLUS_LABELS):
        return (FERPLUS_LABELS, "in the order of FER+") if is_gray_64 else (AFFECTNET_LABELS, "in alphabetical order")
    return None


def meant_label(name: str) -> str:
    """``; did you mean 'fear'?`` where a name is near a label of `EMOTIONS`, or near another word for one; else nothing."""
    name = name.strip().lower()
    labels = [emotion.value for emotion in EMOTIONS]
    return f"; did you mean {_SYNONYMS[name]!r}?" if name in _SYNONYMS else did_you_mean(name, labels)


class LabelMap:
    """Moves scores from a model's label order to `EMOTIONS`.

    Args:
        labels: what each output means; case does not matter, the nouns of FER+ (anger, happiness, ...) are known too. A label
            without a counterpart among the seven (contempt) is folded out by renormalizing. `NO_LABEL` stands for a value that
            is none, such as valence; it is left out before anything is computed.

    Attributes:
        count: number of the model's outputs.
        has_contempt: whether contempt is among them.

    Raises:
        ModelError: a label is unknown or stands twice.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._columns: list[tuple[int, int]] = []
        self._kept: list[int] = []
        seen: set[str] = set()
        for position, label in enumerate(labels):
            name = label.strip().lower()
            name = _SYNONYMS.get(name, name)
            if name == NO_LABEL:
                continue
            if name in seen:
                raise ModelError(f"the label {label!r} stands twice among {', '.join(labels)}")
            seen.add(name)
            try:
                self._columns.append((EIGHT_LABELS.index(name), len(self._kept)))
                self._kept.append(position)
            except ValueError:
                known = f"emodetect knows {', '.join(EIGHT_LABELS)}{did_you_mean(name, [*EIGHT_LABELS, *_SYNONYMS])}"
                raise ModelError(f"unknown label {label!r}; {known}") from None
        self.has_contempt = "contempt" in seen
        if len(self._columns) == self.has_contempt:
            raise ModelError(f"none of the labels {', '.join(labels)} is one of {', '.join(EMOTIONS)}")
        self.count = len(labels)

    def scores_of(self, outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The values (n, kept) of a model's outputs (n, labels) that belong to emotions."""
        return outputs[:, self._kept]

    def apply(self, outputs: npt.NDArray[np.float32], kind: ScoreKind = "shares") -> npt.NDArray[np.float32]:
        """Scores (n, 7) in the order of `EMOTIONS`, rows summing to 1, from a model's outputs (n, labels).

        Args:
            outputs: what the model gave.
            kind: logits go through a softmax; all else is divided by its sum.

        Raises:
            ModelError: the outputs are not numbers.
        """
        seven = self._eight(outputs, kind)[:, : len(EMOTIONS)]
        total = seven.sum(axis=1, keepdims=True)
        # All the weight on contempt says nothing about the seven.
        return np.where(total > 1e-9, seven / np.maximum(total, 1e-9), 1 / len(EMOTIONS)).astype(np.float32)

    def apply_eight(self, outputs: npt.NDArray[np.float32], kind: ScoreKind = "shares") -> npt.NDArray[np.float32]:
        """Scores (n, 8) in the order of `EIGHT_LABELS`, rows summing to 1; otherwise as `apply`."""
        return self._eight(outputs, kind).astype(np.float32)

    def _eight(self, outputs: npt.NDArray[np.float32], kind: ScoreKind) -> npt.NDArray[np.float64]:
        if not np.isfinite(outputs).all():
            raise ModelError("the model's outputs are not finite numbers; it was saved broken, or its input is scaled otherwise")
        values = self.scores_of(outputs).astype(np.float64)
        if kind == "logits":
            values = np.exp(values - values.max(axis=1, keepdims=True))
        result = np.zeros((len(values), len(EIGHT_LABELS)))
        for label, position in self._columns:
            result[:, label] = values[:, position]
        total = result.sum(axis=1, keepdims=True)
        return np.where(total > 1e-9, result / np.maximum(total, 1e-9), 1 / len(EIGHT_LABELS))


def mean_scores(
    maps: Sequence[LabelMap], outputs: Sequence[npt.NDArray[np.float32]], kinds: Sequence[ScoreKind]
) -> npt.NDArray[np.float32]:
    """Scores (n, 7) of a model with several outputs: the mean over them, each with its own map."""
    scores = [labels.apply(output, kind) for labels, output, kind in zip(maps, outputs, kinds, strict=True)]
    return np.asarray(np.mean(scores, axis=0), np.float32)


def mean_scores_eight(
    maps: Sequence[LabelMap], outputs: Sequence[npt.NDArray[np.float32]], kinds: Sequence[ScoreKind]
) -> npt.NDArray[np.float32]:
    """As `mean_scores`, over `EIGHT_LABELS`: (n, 8)."""
    scores = [labels.apply_eight(output, kind) for labels, output, kind in zip(maps, outputs, kinds, strict=True)]
    return np.asarray(np.mean(scores, axis=0), np.float32)
