"""Accuracy of a network in plain words."""

from __future__ import annotations

from emodetect.backends.base import EmotionBackend
from emodetect.backends.registry import RESERVED

_EMBEDDED = (
    "It learned from FER-2013, pictures found by web searches in 2013, in which children, old people and darker skin are rarer "
    "than in life and 1.5% of the faces show disgust."
)


def accuracy_in_words(backend: EmotionBackend) -> list[str]:
    """Sentences about the accuracy of a loaded backend, from the metadata of its model file."""
    share = backend.validation_accuracy
    if share is None:
        return [f"Nothing is known here of how often {backend.name} is right: its file says nothing of it."]
    sentences = [
        f"Of the faces held back for validation on which most people agree, the network ({backend.name}) gave {share:.1%} the "
        "label that people give them, out of seven. These were single faces, cut out, and the network was chosen by them; in "
        "clips expect less."
    ]
    return [*sentences, _EMBEDDED] if backend.name in RESERVED else sentences
