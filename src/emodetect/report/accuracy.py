"""Accuracy of a network in plain words."""

from __future__ import annotations

from emodetect.backends.base import EmotionBackend
from emodetect.backends.registry import RESERVED
from emodetect.report.formatting import percent

_CAVEAT = "These are single cropped faces, and the model was selected on them. Expect less in clips."

_EMBEDDED = (
    "It was trained on FER-2013, images found by web searches in 2013. Children, old people and people with darker skin are rare "
    "in it, and 1.5% of its faces show disgust."
)


def accuracy_in_words(backend: EmotionBackend) -> list[str]:
    """Sentences about the accuracy of a loaded backend, from the metadata of its model file."""
    share = backend.validation_accuracy
    if share is None:
        return [f"The accuracy of {backend.name} is unknown: its model file does not state it."]
    if backend.name in RESERVED:
        return [
            f"The model agrees with the majority of FER+ annotators on {percent(share)} of validation faces.",
            _CAVEAT,
            _EMBEDDED,
        ]
    return [f"The model ({backend.name}) agrees with the label of {percent(share)} of validation faces.", _CAVEAT]
