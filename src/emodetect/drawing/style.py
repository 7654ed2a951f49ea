"""Style of the texts on images: language and lettering."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from emodetect.drawing.fonts import find_font, find_fonts, shipped_font
from emodetect.drawing.languages import UNCERTAIN, WORDS
from emodetect.drawing.lettering import FallbackLettering, FontLettering, Lettering
from emodetect.drawing.phrases import Phrase
from emodetect.errors import SourceError
from emodetect.text.suggestions import did_you_mean_file
from emodetect.types import Emotion

_ASCII = bytes(range(0x21, 0x7F)).decode()


@dataclass(frozen=True)
class Style:
    """Language and lettering of texts; English in the shipped font by default.

    Attributes:
        language: one of `WORDS`.
        lettering: draws the texts.
    """

    language: str = "en"
    lettering: Lettering = field(default_factory=shipped_font)

    @property
    def smallest_line(self) -> int:
        """Minimum height of a readable line of text, pixels; letters with many strokes need more."""
        return 16 if self.language in ("ja", "ko", "zh") else 12

    def name(self, emotion: Emotion | None) -> str:
        """Name of an emotion; None for uncertain."""
        return WORDS[self.language][UNCERTAIN if emotion is None else emotion.value]

    def format(self, phrase: Phrase | str, **values: object) -> str:
        """Format a phrase in this language.

        Args:
            phrase: the phrase; plain text, such as the name of a key, is returned unchanged.
            **values: the value of each ``{...}`` in the phrase.
        """
        return phrase if isinstance(phrase, str) else phrase.text(self.language, **values)


def find_style(language: str, font: Path | None = None) -> Style | None:
    """Find a style for a language; None if no font has its letters.

    Args:
        language: one of `WORDS`.
        font: a font file; None for the included font, or a font of the system if that lacks letters.

    Raises:
        SourceError: the font file cannot be read.
    """
    # Texts also contain numbers, file names and errors, which are English.
    letters = "".join([*WORDS[language].values(), *(phrase.text(language) for phrase in Phrase), _ASCII])
    if font is None:
        lettering = shipped_font() if shipped_font().covers(letters) else find_font(language, letters)
    else:
        try:
            if font.exists() and not font.is_file():  # a pipe may be endless
                raise OSError("is no file")
            lettering = FontLettering(font)
        except OSError as error:
            problem = "cannot be read as a font" if font.exists() else f"no such file{did_you_mean_file(font)}"
            raise SourceError(f"{font}: {problem}", parameter="font", hint="`font` names a .ttf, .otf or .ttc file") from error
        if not lettering.covers(letters):
            lettering = None
    return None if lettering is None else Style(language, lettering)


def with_letters_for(style: Style, texts: Iterable[str]) -> tuple[Style, str]:
    """Extend a style with fonts for the letters of these texts, such as file names.

    Args:
        style: the style; its own font is preferred.
        texts: the texts to draw.

    Returns:
        The style, with a `FallbackLettering`, and the letters that no font of the system has.
    """
    own = [style.lettering] if isinstance(style.lettering, FontLettering) else []
    lettering = FallbackLettering([*dict.fromkeys([*own, shipped_font()])])
    if missing := lettering.missing("".join(texts)):
        lettering = FallbackLettering([*lettering.fonts, *find_fonts(style.language, missing)])
    return replace(style, lettering=lettering), lettering.missing(missing)
