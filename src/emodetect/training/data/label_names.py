"""Labels of the folders, files and numbers of published data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from emodetect.backends.labels import EIGHT_LABELS, known_label, suggest_label
from emodetect.errors import UsageError
from emodetect.text.suggestions import did_you_mean
from emodetect.types import EMOTIONS

NONE = "none"
"""Placeholder for a folder whose images have none of the labels."""

NUMBERED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "fer2013": {str(number): emotion.value for number, emotion in enumerate(EMOTIONS)},
        "raf-db": dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), strict=True)),
        "affectnet": {
            **dict(zip("01234567", ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"), strict=True)),
            **dict.fromkeys(("8", "9", "10"), NONE),  # none, uncertain, no face
        },
    }
)
"""Data sets that number their labels: Goodfellow et al. 2013; Li et al. 2017; Mollahosseini et al. 2017."""

_CODES = {
    "AF": "fear", "FE": "fear", "AN": "angry", "DI": "disgust", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprise",
}  # fmt: skip

FILE_NAMES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "KDEF": re.compile(r"[AB][FM]\d\d(AF|AN|DI|HA|NE|SA|SU)(?:FL|HL|S|HR|FR)", re.IGNORECASE),
        "JAFFE": re.compile(r"[A-Z]{2}\.(AN|DI|FE|HA|NE|SA|SU)\d+\.\d+", re.IGNORECASE),
    }
)
"""Data sets with the label in each file name (without its ending): Lundqvist et al. 1998; Lyons et al. 1998."""

_NUMBER_BEFORE = re.compile(r"\d+[ ._-]+(?=\D)")
"""A number before a name, as in ``0_angry``."""


@dataclass(frozen=True)
class LabelNames:
    """Meanings of the names of folders, or the numbers in a table.

    Attributes:
        name: name of the numbering; empty if there is none.
        meanings: label of `EIGHT_LABELS`, or `NONE`, by name in lower case; words for the labels need no entry.
    """

    name: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> LabelNames:
        """Parse ``raf-db``, another name of `NUMBERED`, or ``1=surprise,2=fear``.

        Raises:
            UsageError: the numbering or a label is unknown.
        """
        text = text.strip()
        if "=" not in text:
            if text.lower() in NUMBERED:
                return cls(text.lower(), NUMBERED[text.lower()])
            raise UsageError(
                f"{text!r} is no data set whose numbers are known; there are {', '.join(NUMBERED)}, or 1=surprise,2=fear,..."
                f"{did_you_mean(text, NUMBERED)}"
            )
        meanings: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, word = (piece.strip() for piece in part.rpartition("="))
            label = NONE if word.lower() == NONE else known_label(word)
            if label is None or not name:
                known = ", ".join((*EIGHT_LABELS, NONE))
                raise UsageError(f"{part!r} names no label{suggest_label(word) or f'; expected NAME={known}'}")
            if _plain(name) in meanings:
                raise UsageError(f"{name!r} stands twice")
            meanings[_plain(name)] = label
        if not meanings:
            raise UsageError(f"{text!r} names no label; expected 1=surprise,2=fear,...")
        return cls(text, meanings)

    def label_of(self, name: str) -> str | None:
        """Label of `EIGHT_LABELS` for a name, or `NONE`; None if the name is unknown."""
        return self.meanings.get(_plain(name)) or known_label(_NUMBER_BEFORE.sub("", name.strip(), count=1))

    def numbers(self) -> str:
        """The known numbers, for messages: "1 to 7"."""
        numbers = sorted(filter(is_number, self.meanings), key=lambda number: (len(number), number))
        return f"{numbers[0]} to {numbers[-1]}" if numbers else "no number"


WORDS = LabelNames()
"""No numbering, only words."""


def is_number(name: str) -> bool:
    """Whether a name is a whole number."""
    return re.fullmatch(r"\d+", name.strip(), re.ASCII) is not None


def label_in_file_name(data_set: str, stem: str) -> str | None:
    """The label in a file name; None if it has none.

    Args:
        data_set: a key of `FILE_NAMES`.
        stem: the name without its suffix.
    """
    match = FILE_NAMES[data_set].fullmatch(stem)
    return _CODES[match.group(1).upper()] if match else None


def _plain(name: str) -> str:
    """A name normalized for comparison: lower case, numbers without leading zeros."""
    name = name.strip().lower()
    return name.lstrip("0") or "0" if is_number(name) else name
