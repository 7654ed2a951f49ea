"""Mapping from a model's labels to the seven of FER-2013, by name, with or without contempt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.backends.score_kind import ScoreKind
from emodetect.errors import ModelError
from emodetect.text.suggestions import did_you_mean
from emodetect.types import EMOTIONS

TUTORIAL_LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The seven labels in alphabetical order, as Keras orders FER-2013's folders."""

EIGHT_LABELS = (*(emotion.value for emotion in EMOTIONS), "contempt")
"""The seven labels of `EMOTIONS`, then contempt, as in FER+."""

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""Label order of FER+, and of the network in the ONNX model zoo."""

AFFECTNET_LABELS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""Eight labels in alphabetical order, as in folders of AffectNet."""

NO_LABEL = "-"
"""Placeholder for an output value that is no emotion."""

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
    """Label of `EIGHT_LABELS` for a name or synonym, case-insensitive; None for an unknown name."""
    name = name.strip().lower()
    name = _SYNONYMS.get(name, name)
    return name if name in EIGHT_LABELS else None


def assumed_labels(count: int, *, is_gray_64: bool) -> tuple[tuple[str, ...], str] | None:
    """Usual labels of a model with this number of outputs, and a description of their order; None if there are no usual ones.

    Args:
        count: number of output values.
        is_gray_64: whether the input is 64x64 gray pixels, as in models trained on FER+.
    """
    if count == len(TUTORIAL_LABELS):
        return TUTORIAL_LABELS, "in alphabetical order"
    if count == len(FERPLUS_LABELS):
        return (FERPLUS_LABELS, "in the order of FER+") if is_gray_64 else (AFFECTNET_LABELS, "in alphabetical order")
    return None


def suggest_label(name: str) -> str:
    """Suggestion for an unknown label, such as ``; did you mean 'fear'?``; empty if no label or synonym is similar."""
    name = name.strip().lower()
    labels = [emotion.value for emotion in EMOTIONS]
    return f"; did you mean {_SYNONYMS[name]!r}?" if name in _SYNONYMS else did_you_mean(name, labels)


class LabelMap:
    """Maps scores from a model's label order to that of `EMOTIONS`.

    Args:
        labels: label of each output value, case-insensitive; the nouns of FER+ (anger, happiness, ...) are synonyms. Contempt,
            which is not among the seven, is removed by renormalization. `NO_LABEL` marks a value that is no score, such as
            valence; it is ignored.

    Attributes:
        count: number of output values.
        has_contempt: whether contempt is among the labels.

    Raises:
        ModelError: a label is unknown or duplicate.
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
        """Select the values of emotions, (n, kept), from a model's outputs, (n, labels)."""
        return outputs[:, self._kept]

    def apply(self, outputs: npt.NDArray[np.float32], kind: ScoreKind = "shares") -> npt.NDArray[np.float32]:
        """Convert a model's outputs (n, labels) to scores (n, 7) in the order of `EMOTIONS`, rows summing to 1.

        Args:
            outputs: the model's outputs.
            kind: kind of the values; logits go through a softmax, all others are divided by their sum.

        Raises:
            ModelError: an output is not finite.
        """
        seven = self._eight(outputs, kind)[:, : len(EMOTIONS)]
        total = seven.sum(axis=1, keepdims=True)
        # If contempt has all the weight, the seven are uniform.
        return np.where(total > 1e-9, seven / np.maximum(total, 1e-9), 1 / len(EMOTIONS)).astype(np.float32)

    def apply_eight(self, outputs: npt.NDArray[np.float32], kind: ScoreKind = "shares") -> npt.NDArray[np.float32]:
        """Convert to scores (n, 8) in the order of `EIGHT_LABELS`, rows summing to 1; otherwise as `apply`."""
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
    """Mean scores (n, 7) over a model's outputs, each with its own map."""
    scores = [labels.apply(output, kind) for labels, output, kind in zip(maps, outputs, kinds, strict=True)]
    return np.asarray(np.mean(scores, axis=0), np.float32)


def mean_scores_eight(
    maps: Sequence[LabelMap], outputs: Sequence[npt.NDArray[np.float32]], kinds: Sequence[ScoreKind]
) -> npt.NDArray[np.float32]:
    """Mean scores (n, 8) in the order of `EIGHT_LABELS`; otherwise as `mean_scores`."""
    scores = [labels.apply_eight(output, kind) for labels, output, kind in zip(maps, outputs, kinds, strict=True)]
    return np.asarray(np.mean(scores, axis=0), np.float32)
