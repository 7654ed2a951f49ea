"""How the overlay speaks: which words, and with which letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emodetect.drawing.fonts import find_font
from emodetect.drawing.languages import UNCERTAIN, WORDS
from emodetect.drawing.lettering import FontLettering, Lettering, StrokeLettering
from emodetect.errors import SourceError
from emodetect.types import Emotion


@dataclass(frozen=True)
class Style:
    """Words and letters; English in OpenCV's letters unless told otherwise.

    Attributes:
        words: what stands for each label of the data, and for `UNCERTAIN`.
        lettering: how it is written.
    """

    words: Mapping[str, str] = field(default_factory=lambda: WORDS["en"])
    lettering: Lettering = field(default_factory=StrokeLettering)

    def name(self, emotion: Emotion | None) -> str:
        """What an emotion is called; None is one that is not sure enough."""
        return self.words[UNCERTAIN if emotion is None else emotion.value]


def find_style(language: str, font: Path | None = None) -> Style | None:
    """A style for a language; None without a font that has its letters, which English alone does not need.

    Args:
        language: one of `WORDS`.
        font: a font file to use, None for one that is found on the system.

    Raises:
        SourceError: the font file cannot be read.
    """
    words = WORDS[language]
    if font is None and language == "en":
        return Style(words)
    # Besides the labels there are numbers, and English words of the window.
    letters = "".join(words.values()) + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%#./-:()"
    if font is None:
        lettering = find_font(language, letters)
    else:
        try:
            lettering = FontLettering(font)
        except OSError as error:
            raise SourceError(f"{font}: cannot be read as a font; name a .ttf, .otf or .ttc file") from error
        if not lettering.covers(letters):
            lettering = None
    return None if lettering is None else Style(words, lettering)
