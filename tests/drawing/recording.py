"""A lettering that remembers what it wrote, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from typing_extensions import override

from emodetect.drawing.fonts import shipped_font
from emodetect.drawing.lettering import BASELINE, LINE, Lettering
from emodetect.drawing.palette import Color
from emodetect.types import Box, Image


@dataclass
class Recorder(Lettering):
    """Writes as another lettering does and remembers where."""

    lettering: Lettering = field(default_factory=shipped_font)
    written: list[tuple[str, Box]] = field(default_factory=list)

    @override
    def width(self, text: str, unit: float) -> int:
        return self.lettering.width(text, unit)

    @override
    def write(self, canvas: Image, text: str, origin: tuple[int, int], unit: float, color: Color) -> None:
        self.lettering.write(canvas, text, origin, unit, color)
        top = origin[1] - round((BASELINE - 0.2) * unit)
        self.written.append((text, Box(origin[0], top, self.width(text, unit), round((LINE - 0.4) * unit))))
