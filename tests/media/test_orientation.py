from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from emodetect.media.orientation import Orientation
from emodetect.types import Image
from tests.sources.test_images import UPRIGHT

ONE = 65536

MATRICES = [
    [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]
    for a, b, c, d in itertools.product((-1, 0, 1), repeat=4)
    if abs(a * d - b * c) == 1 and abs(a) + abs(b) == 1 and abs(c) + abs(d) == 1
]
"""The display matrices of the eight orientations."""


def shown(image: Image, matrix: list[int]) -> Image:
    """Each pixel put where the matrix says."""
    height, width = image.shape[:2]
    places = np.asarray([[x, y] for y in range(height) for x in range(width)])
    a, b, c, d = (matrix[place] // ONE for place in (0, 1, 3, 4))
    moved = places @ np.asarray([[a, b], [c, d]])
    moved -= moved.min(axis=0)
    result = np.zeros((moved[:, 1].max() + 1, moved[:, 0].max() + 1, 3), np.uint8)
    result[moved[:, 1], moved[:, 0]] = image.reshape(-1, 3)
    return result


def turned(degrees: float, *, mirrored: bool = False) -> list[int]:
    """The matrix of a turn to the right, before which left and right are swapped."""
    cosine, sine = (round(ONE * function(math.radians(degrees))) for function in (math.cos, math.sin))
    sign = -1 if mirrored else 1
    return [sign * cosine, sign * sine, 0, -sine, cosine, 0, 0, 0, 1 << 30]


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("scale", [1.0, 0.5, 1900.0])
def test_all_eight_matrices(picture: Image, matrix: list[int], scale: float) -> None:
    orientation, off = Orientation.from_matrix([round(scale * number) for number in matrix])
    expected = shown(picture, matrix)
    np.testing.assert_array_equal(orientation.upright(picture), expected)
    assert orientation.size(7, 5) == expected.shape[1::-1]
    assert off == 0


def test_there_are_eight_of_them() -> None:
    assert len({Orientation.from_matrix(matrix)[0] for matrix in MATRICES}) == len(MATRICES) == 8


@pytest.mark.parametrize("number", UPRIGHT)
def test_the_numbers_of_exif(picture: Image, number: int) -> None:
    np.testing.assert_array_equal(Orientation.from_exif(number).upright(picture), UPRIGHT[number](picture))


@pytest.mark.parametrize("number", [-1, 0, 9, 65535])
def test_a_number_that_exif_does_not_have(number: int) -> None:
    with pytest.raises(ValueError, match=f"got {number}"):
        Orientation.from_exif(number)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("degrees", "nearest", "off"), [(0.5, 0, 0), (30, 0, 30), (89.4, 90, 0), (-100, 270, 10), (179, 180, 1)])
def test_other_angles_go_to_the_nearest_quarter(degrees: float, nearest: int, off: float, mirrored: bool) -> None:
    found, difference = Orientation.from_matrix(turned(degrees, mirrored=mirrored))
    assert found == Orientation.from_matrix(turned(nearest, mirrored=mirrored))[0]
    assert difference == pytest.approx(off, abs=0.01) or (off == 1 and difference == 0)


def test_a_sheared_picture_is_named() -> None:
    assert Orientation.from_matrix([ONE, ONE, 0, 0, ONE, 0, 0, 0, 1 << 30])[1] == pytest.approx(45)


@pytest.mark.parametrize("matrix", [[0] * 9, [ONE, 0, 0, ONE, 0, 0, 0, 0, 1 << 30], [0, 0, 0, 0, ONE, 0, 0, 0, 1 << 30]])
def test_a_matrix_that_makes_no_picture(matrix: list[int]) -> None:
    with pytest.raises(ValueError, match="inverted"):
        Orientation.from_matrix(matrix)
