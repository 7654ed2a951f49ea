from __future__ import annotations

import numpy as np
import pytest

from emodetect.drawing.palette import BLACK, COLORS, ON_PAPER, UNKNOWN_COLOR, WHITE, color_of, contrast, ink_on
from emodetect.types import EMOTIONS, Emotion
from tests.drawing.color_vision import lab, seen, smallest_distance

ALL = [*COLORS.values(), UNKNOWN_COLOR]


def test_every_emotion_has_a_color_and_none_that_is_unknown() -> None:
    assert set(COLORS) == set(EMOTIONS)
    assert [color_of(emotion) for emotion in EMOTIONS] == list(COLORS.values())
    assert color_of(None) == UNKNOWN_COLOR


@pytest.mark.parametrize(("sight", "limit"), [("all cones", 36), ("protanopia", 36), ("deuteranopia", 36), ("tritanopia", 25)])
def test_any_two_colors_are_told_apart(sight: str, limit: float) -> None:
    assert smallest_distance(ALL, sight) >= limit


@pytest.mark.parametrize(("sight", "limit"), [("all cones", 36), ("protanopia", 36), ("deuteranopia", 36), ("tritanopia", 25)])
def test_colors_on_paper_are_told_apart_and_neutral_from_the_paper(sight: str, limit: float) -> None:
    assert smallest_distance([*ON_PAPER.values(), WHITE], sight) >= limit
    assert contrast(ON_PAPER[Emotion.NEUTRAL], WHITE) >= 3


def test_the_simulation_confuses_what_people_confuse() -> None:
    red, green = (58, 58, 222), (72, 160, 62)
    assert smallest_distance([red, green], "deuteranopia") < 0.5 * smallest_distance([red, green], "all cones")
    blue_green, blue = (120, 140, 0), (160, 120, 0)
    assert smallest_distance([blue_green, blue], "tritanopia") < smallest_distance([blue_green, blue], "all cones")


@pytest.mark.parametrize(
    ("color", "expected"),
    [(WHITE, (100, 0, 0)), (BLACK, (0, 0, 0)), ((0, 0, 255), (53.24, 80.09, 67.20)), ((255, 0, 0), (32.30, 79.19, -107.86))],
)
def test_distances_are_in_cielab(color: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(lab(seen(color, "all cones")), expected, atol=0.05)


@pytest.mark.parametrize("emotion", [*EMOTIONS, None])
def test_each_stands_out_from_its_dark_line_and_bears_letters(emotion: Emotion | None) -> None:
    color = color_of(emotion)
    assert contrast(color, BLACK) >= 3
    assert contrast(color, ink_on(color)) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(BLACK, WHITE) == contrast(WHITE, BLACK) == pytest.approx(21)
    assert contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.01)
    assert contrast((0, 0, 255), WHITE) == pytest.approx(4.0, abs=0.01)
