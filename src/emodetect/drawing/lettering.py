"""Text on images, in fonts that Pillow renders with anti-aliased letters.

Sizes are given as a unit: the height of a capital letter with some space, pixels. A line of text is `LINE` units high, and its
baseline is `BASELINE` units below its top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from typing_extensions import override

from emodetect.drawing.blending import Stamp, draw_plate, stamp
from emodetect.drawing.palette import BLACK, Color, ink_on
from emodetect.types import Box, Image

LINE = 1.5
BASELINE = 1.08

_PADDING = 0.4
"""Horizontal padding of a tag's text, units."""

ROUNDING = 0.35
"""Radius of the rounded corners of tags and panels, units."""


class Lettering(ABC):
    """Interface for measuring and drawing text."""

    @abstractmethod
    def width(self, text: str, unit: float) -> int:
        """Width of a text, pixels."""

    @abstractmethod
    def write(self, canvas: Image, text: str, origin: tuple[int, int], unit: float, color: Color) -> None:
        """Draw text on an image.

        Args:
            canvas: uint8 (height, width, 3) BGR, drawn on.
            text: one line.
            origin: x of the left edge and y of the baseline, pixels.
            unit: size of the text.
            color: BGR.
        """

    def shortened(self, text: str, unit: float, room: int) -> str:
        """Truncate the text with an ellipsis if it is too wide; empty if nothing fits.

        Args:
            text: one line.
            unit: size of the text.
            room: maximum width, pixels.
        """
        if self.width(text, unit) <= room:
            return text
        cut = (f"{text[:length].rstrip()}..." for length in range(len(text) - 1, 0, -1))
        return next((part for part in cut if self.width(part, unit) <= room), "")

    def wrapped(self, text: str, unit: float, room: int, max_lines: int) -> list[str]:
        """Wrap the text at spaces; what does not fit is truncated.

        Args:
            text: the text.
            unit: size of the text.
            room: maximum width of a line, pixels.
            max_lines: maximum number of lines.
        """
        lines: list[str] = []
        words = text.split(" ")
        while words and len(lines) < max_lines - 1:
            taken = 1
            while taken < len(words) and self.width(" ".join(words[: taken + 1]), unit) <= room:
                taken += 1
            lines.append(self._elided(words[0], unit, room) if taken == 1 else " ".join(words[:taken]))
            words = words[taken:]
        return [*lines, self.shortened(" ".join(words), unit, room)] if words else lines

    def _elided(self, word: str, unit: float, room: int) -> str:
        """Elide a word in the middle if it is too wide, since the ends of a file name are more informative."""
        if self.width(word, unit) <= room:
            return word
        cut = (f"{word[: (length + 1) // 2]}...{word[len(word) - length // 2 :]}" for length in range(len(word) - 1, 0, -1))
        return next((part for part in cut if self.width(part, unit) <= room), "")


class FontLettering(Lettering):
    """Letters of a font. Rendered texts are cached, since the same few words and numbers are drawn in every frame.

    Args:
        path: a font file that FreeType supports.
        index: index of the font in a collection.

    Raises:
        OSError: the file is no valid font.

    Attributes:
        path: the font file.
        family: family name of the font.
    """

    def __init__(self, path: Path, index: int = 0) -> None:
        from PIL import ImageFont

        self.path = path
        self._font = lru_cache(maxsize=16)(
            lambda size: ImageFont.truetype(str(path), size, index=index, layout_engine=ImageFont.Layout.BASIC)
        )
        self.family = self._font(16).getname()[0] or ""
        self._rendered = lru_cache(maxsize=512)(self._render)
        self._length = lru_cache(maxsize=1024)(lambda text, em: round(self._font(em).getlength(text)))

    def covers(self, text: str) -> bool:
        """Whether the font has a glyph for each character that is not white space."""
        missing = self._shape("\U0010ffff")  # no font has this character, so that it renders as the missing glyph
        return all(letter.isspace() or (any(shape := self._shape(letter)) and shape != missing) for letter in {*text})

    def _shape(self, letter: str) -> bytes:
        return bytes(self._font(16).getmask(letter))

    @override
    def width(self, text: str, unit: float) -> int:
        return self._length(text, _em(unit))

    @override
    def write(self, canvas: Image, text: str, origin: tuple[int, int], unit: float, color: Color) -> None:
        letters, (left, top) = self._rendered(text, _em(unit), color)
        letters.blend(canvas, (origin[0] + left, origin[1] + top))

    def _render(self, text: str, em: int, color: Color) -> tuple[Stamp, tuple[int, int]]:
        """Render the text in a color, and its offset from the origin, pixels."""
        mask, offset = self._font(em).getmask2(text, mode="L", anchor="ls")
        width, height = mask.size
        coverage = np.frombuffer(bytes(mask), np.uint8).reshape(height, width) / np.float32(255)
        return stamp(coverage, color), (round(offset[0]), round(offset[1]))


class FallbackLettering(Lettering):
    """Letters of several fonts: each from the first font that has it, or from the first font if none has.

    Args:
        fonts: fonts in order of preference; at least one.
    """

    def __init__(self, fonts: Sequence[FontLettering]) -> None:
        self.fonts = tuple(fonts)
        self._font_for = lru_cache(maxsize=4096)(self._find_font)

    def missing(self, text: str) -> str:
        """Letters of a text that no font has, each once, sorted."""
        return "".join(letter for letter in sorted({*text}) if self._font_for(letter) is None)

    @override
    def width(self, text: str, unit: float) -> int:
        return sum(font.width(part, unit) for font, part in self._parts(text))

    @override
    def write(self, canvas: Image, text: str, origin: tuple[int, int], unit: float, color: Color) -> None:
        x, y = origin
        for font, part in self._parts(text):
            font.write(canvas, part, (x, y), unit, color)
            x += font.width(part, unit)

    def _parts(self, text: str) -> Iterator[tuple[FontLettering, str]]:
        """Split a text into runs, each with the font that draws it."""
        for font, letters in groupby(text, key=lambda letter: self._font_for(letter) or self.fonts[0]):
            yield font, "".join(letters)

    def _find_font(self, letter: str) -> FontLettering | None:
        return next((font for font in self.fonts if font.covers(letter)), None)


def _em(unit: float) -> int:
    return max(1, round(1.05 * unit))


def unit_for(size: tuple[int, int]) -> float:
    """Size of text in an image of this width and height, pixels.

    It grows with the image, and stays readable on a small one unless that is no wider than a word.
    """
    return min(max(13.0, min(size) / 42), max(8.0, size[0] / 9))


def tag_size(lettering: Lettering, text: str, unit: float) -> tuple[int, int]:
    """Width and height of a tag with this text, pixels."""
    return lettering.width(text, unit) + 2 * round(_PADDING * unit), round(LINE * unit)


def draw_tag(canvas: Image, lettering: Lettering, text: str, corner: tuple[int, int], unit: float, color: Color) -> None:
    """Draw text on a colored, rounded background with a dark outline, which stands out on dark and on white images.

    Args:
        canvas: uint8 (height, width, 3) BGR, drawn on.
        lettering: draws the text.
        text: one line.
        corner: x and y of the top left corner, pixels.
        unit: size of the text.
        color: color of the background, BGR.
    """
    x, y = corner
    draw_plate(canvas, Box(x, y, *tag_size(lettering, text, unit)), ROUNDING * unit, color, outline=BLACK)
    lettering.write(canvas, text, (x + round(_PADDING * unit), y + round(BASELINE * unit)), unit, ink_on(color))
