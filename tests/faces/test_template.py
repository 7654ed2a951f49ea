from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.template import FaceTemplate
from emodetect.types import Box, Image
from tests.builders import make_background, place_face

BACKGROUND = make_background((640, 360))


def gray(image: Image) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def template_of(side: int = 100) -> tuple[FaceTemplate, Box]:
    image, box = place_face(BACKGROUND, (300, 180), side)
    return FaceTemplate.of(gray(image), box), box


@pytest.mark.parametrize("side", [40, 100, 200])
@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (0.18, -0.1), (-0.13, 0.2)])
def test_a_face_that_has_moved_is_found_to_a_thirtieth_of_its_side(side: int, right: float, down: float) -> None:
    template, box = template_of(side)
    image, truth = place_face(BACKGROUND, (300 + right * side, 180 + down * side), side)
    found = template.find(gray(image), box, 0.25)
    assert found is not None
    off = [found.x + found.width / 2 - truth.x - truth.width / 2, found.y + found.height / 2 - truth.y - truth.height / 2]
    assert np.abs(off).max() <= max(1.0, side / 30)


@pytest.mark.parametrize("growth", [0.95, 1.0, 1.03, 1.06])
def test_a_face_that_has_come_nearer_is_found_larger(growth: float) -> None:
    template, box = template_of()
    image, truth = place_face(BACKGROUND, (304, 183), 100 * growth)
    found = template.find(gray(image), box, 0.2)
    assert found is not None
    assert abs(found.width - truth.width) <= 2
    assert intersection_over_union([found], [truth])[0, 0] > 0.93


def test_light_that_changes_does_not_matter() -> None:
    template, box = template_of()
    image, truth = place_face(BACKGROUND, (304, 183), 100)
    found = template.find(gray(np.asarray(image * 0.4 + 20, np.uint8)), box, 0.2)
    assert found is not None
    assert intersection_over_union([found], [truth])[0, 0] > 0.93


def test_where_the_face_is_gone_nothing_is_found() -> None:
    template, box = template_of()
    assert template.find(gray(BACKGROUND), box, 0.2) is None
    assert template.find(np.full((360, 640), 90, np.uint8), box, 0.2) is None


@pytest.mark.parametrize("near", [Box(-300, 40, 100, 100), Box(600, 300, 100, 100), Box(900, 900, 100, 100)])
def test_places_at_the_rim_and_beyond_are_no_error(near: Box) -> None:
    assert template_of()[0].find(gray(BACKGROUND), near, 0.2) is None


def test_a_face_at_the_rim_is_followed_for_as_long_as_all_of_it_is_there() -> None:
    image, box = place_face(BACKGROUND, (58, 180), 100)
    template = FaceTemplate.of(gray(image), box)
    found = template.find(gray(image), box, 0.2)
    assert found is not None
    assert intersection_over_union([found], [box])[0, 0] > 0.95
