"""Colors, BGR.

Everybody must be able to distinguish the seven emotions and gray. The palette of Okabe and Ito (https://jfly.uni-koeln.de/color/)
was optimized, each color within the hues that people expect, for the largest minimum distance in CIELAB with normal vision,
protanopia and deuteranopia (simulated after Machado, Oliveira and Fernandes 2009). The minimum distance is 36, and 25 with
tritanopia. Each color has a contrast of at least 3:1 to its black outline, as WCAG 2 requires of graphics.
`tests/drawing/test_palette.py` checks these numbers.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from emodetect.types import Emotion

Color = tuple[int, int, int]

COLORS: dict[Emotion, Color] = {
    Emotion.ANGRY: (8, 52, 221),
    Emotion.DISGUST: (159, 255, 177),
    Emotion.FEAR: (250, 0, 154),
    Emotion.HAPPY: (5, 201, 255),
    Emotion.SAD: (172, 93, 62),
    Emotion.SURPRISE: (253, 198, 109),
    Emotion.NEUTRAL: (255, 255, 255),
}
"""Color of each emotion, BGR."""

UNKNOWN_COLOR: Color = (150, 150, 150)
"""Color of a face whose emotion is unknown or uncertain, BGR."""

ON_PAPER: dict[Emotion, Color] = {**COLORS, Emotion.NEUTRAL: (130, 130, 130)}
"""Color of each emotion in plots and in print, BGR: on white, neutral is gray. Pale colors need a dark outline there."""

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)

_LUMINANCE = (0.0722, 0.7152, 0.2126)


def color_of(emotion: Emotion | None) -> Color:
    """Color of an emotion; None for unknown or uncertain."""
    return UNKNOWN_COLOR if emotion is None else COLORS[emotion]


@cache
def ink_on(ground: Color) -> Color:
    """Black or white, whichever has the higher contrast to this background."""
    return BLACK if contrast(ground, BLACK) >= contrast(ground, WHITE) else WHITE


def contrast(first: Color, second: Color) -> float:
    """Contrast ratio of two colors as defined by WCAG 2, 1 to 21."""
    brighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def linear(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert sRGB values, 0 to 255, to linear intensities, 0 to 1."""
    share = np.asarray(values, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _luminance(color: Color) -> float:
    return float(linear(color) @ _LUMINANCE)
