from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.faces.boxes import best_pairs, crop, intersection_over_smaller, intersection_over_union, intersections
from emodetect.types import Box

Measure = Callable[[Sequence[Box], Sequence[Box]], npt.NDArray[np.float64]]
MEASURES: list[Any] = [intersections, intersection_over_union, intersection_over_smaller]

WIDE = Box(0, 0, 40, 10)


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        pytest.param(WIDE, 400, id="the same"),
        pytest.param(Box(30, 5, 40, 10), 50, id="corner"),
        pytest.param(Box(10, 2, 20, 5), 100, id="inside"),
        pytest.param(Box(40, 0, 40, 10), 0, id="touching on the right"),
        pytest.param(Box(0, 10, 40, 10), 0, id="touching below"),
        pytest.param(Box(100, 100, 10, 10), 0, id="far away on both axes"),
        pytest.param(Box(-20, -5, 30, 10), 50, id="negative corner"),
        pytest.param(Box(5, 5, 0, 0), 0, id="empty"),
    ],
)
def test_measures_of_a_pair(other: Box, shared: int) -> None:
    area = other.width * other.height
    assert intersections([WIDE], [other])[0, 0] == shared
    assert intersection_over_union([WIDE], [other])[0, 0] == pytest.approx(shared / (400 + area - shared))
    assert intersection_over_smaller([WIDE], [other])[0, 0] == pytest.approx(shared / min(400, area) if area else 0)


def test_a_swap_of_width_and_height_would_show() -> None:
    # Side by side as they are; one over the other if width and height were swapped.
    assert intersections([Box(0, 0, 10, 100)], [Box(15, 0, 10, 100)])[0, 0] == 0
    assert intersections([Box(0, 0, 100, 10)], [Box(50, 0, 100, 10)])[0, 0] == 500


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_shapes_hold_for_any_number_of_boxes(measure: Measure, first: int, second: int) -> None:
    boxes = [Box(10 * i, 0, 20, 30) for i in range(3)]
    result = measure(boxes[:first], boxes[:second])
    assert result.shape == (first, second)
    assert result.dtype == np.float64


@pytest.mark.parametrize("measure", MEASURES)
def test_rows_are_the_first_and_columns_the_second(measure: Measure) -> None:
    near, far = Box(0, 0, 10, 10), Box(100, 0, 10, 10)
    result = measure([near], [far, near])
    assert result[0, 0] == 0
    assert result[0, 1] > 0


@pytest.mark.parametrize("measure", [intersection_over_union, intersection_over_smaller])
def test_empty_boxes_overlap_nothing_and_not_even_themselves(measure: Measure) -> None:
    # Warnings are errors here: a division by zero would show.
    nothing = Box(5, 5, 0, 0)
    np.testing.assert_array_equal(measure([nothing], [nothing, Box(0, 0, 10, 10)]), [[0, 0]])


def test_crop_is_the_box_of_the_picture() -> None:
    image = np.arange(20 * 30 * 3).astype(np.uint8).reshape(20, 30, 3)
    result = crop(image, Box(x=4, y=7, width=11, height=5))
    assert result.shape == (5, 11, 3)
    np.testing.assert_array_equal(result[0, 0], image[7, 4])
    np.testing.assert_array_equal(result[-1, -1], image[11, 14])


def test_crop_of_an_empty_box_is_empty() -> None:
    assert crop(np.zeros((20, 30, 3), np.uint8), Box(4, 7, 0, 0)).size == 0


@pytest.mark.parametrize(
    ("claims", "pairs"),
    [
        ([[0.9, 0.2], [0.8, 0.3]], {0: 0, 1: 1}),
        ([[0.2, 0.9], [0.3, 0.8]], {0: 1, 1: 0}),
        ([[0.5, 0.0], [0.6, 0.0]], {1: 0}),
        ([[0.0, 0.0]], {}),
        ([[0.4, 0.4]], {0: 0}),
    ],
)
def test_the_largest_claims_are_met_first(claims: list[list[float]], pairs: dict[int, int]) -> None:
    assert best_pairs(np.asarray(claims)) == pairs


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody_claims_nothing(shape: tuple[int, int]) -> None:
    assert best_pairs(np.zeros(shape)) == {}
