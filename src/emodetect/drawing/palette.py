"""Colours, BGR.

Seven emotions and gray must be told apart by everybody. Starting from the palette of Okabe and Ito
(https://jfly.uni-koeln.de/color/), the colours were moved, each within the hues that people expect of it, until the two that lie
closest in CIELAB lay as far apart as possible, as seen with all cones and without those for red or for green (simulated as by
Machado, Oliveira and Fernandes 2009). No two are nearer than 36, or 25 without the cones for blue. Each stands out from the black
line round it by at least 3 to 1, the contrast that WCAG 2 asks of graphics. `tests/drawing/test_palette.py` holds all of this.
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
"""One colour an emotion, BGR."""

UNKNOWN_COLOR: Color = (150, 150, 150)
"""The colour of a face whose emotion is not known, or not surely."""

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)

_LUMINANCE = (0.0722, 0.7152, 0.2126)


def color_of(emotion: Emotion | None) -> Color:
    """The colour of an emotion; None is one that is not known."""
    return UNKNOWN_COLOR if emotion is None else COLORS[emotion]


@cache
def ink_on(ground: Color) -> Color:
    """Black or white, whichever is read better on this ground."""
    return BLACK if contrast(ground, BLACK) >= contrast(ground, WHITE) else WHITE


def contrast(first: Color, second: Color) -> float:
    """The contrast of two colours as WCAG 2 defines it, 1 to 21."""
    brighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def linear(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intensities of sRGB values: 0 to 255 becomes 0 to 1, proportional to light."""
    share = np.asarray(values, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _luminance(color: Color) -> float:
    return float(linear(color) @ _LUMINANCE)
