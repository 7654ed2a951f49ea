from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from emodetect.drawing.anonymize import anonymize
from emodetect.types import Box, Image
from tests.builders import PHOTO_FACE, make_background, make_image, place_face

FACE = Box(100, 60, 90, 90)
HIDDEN = Box(69, 29, 152, 152)
"""What is hidden at least round `FACE`: a third of its side more on each side, less a pixel."""


def inside(image: Image, box: Box) -> Image:
    return image[box.y : box.y + box.height, box.x : box.x + box.width]


@pytest.mark.parametrize("method", ["blur", "box"])
class TestBoth:
    def test_outside_nothing_changes_and_the_picture_itself_stays(self, method: str) -> None:
        image = make_background((320, 240))
        before = image.copy()

        hidden = anonymize(image, [FACE], method)

        np.testing.assert_array_equal(image, before)
        changed = (hidden != before).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert rows[0] >= 60 - 32
        assert rows[-1] <= 60 + 90 + 31
        assert columns[0] >= 100 - 32
        assert columns[-1] <= 100 + 90 + 31

    def test_edges_are_gone(self, method: str, photo: Image) -> None:
        def sharpness(image: Image) -> float:
            gray = cv2.cvtColor(inside(image, PHOTO_FACE), cv2.COLOR_BGR2GRAY)
            return float(np.abs(cv2.Laplacian(gray, cv2.CV_64F)).mean())

        assert sharpness(anonymize(photo, [PHOTO_FACE], method)) < 0.1 * sharpness(photo)

    @pytest.mark.parametrize(
        "box", [Box(-50, -50, 80, 80), Box(300, 200, 90, 90), Box(5, 5, 1, 1), Box(0, 0, 320, 240), Box(900, 900, 9, 9)]
    )
    def test_any_box_will_do(self, method: str, box: Box) -> None:
        assert anonymize(make_image(320, 240), [box, FACE], method).shape == (240, 320, 3)

    def test_boxes_that_overlap_are_hidden_in_any_order(self, method: str) -> None:
        image = np.random.default_rng(3).integers(0, 256, (240, 320, 3), np.uint8)
        other = Box(150, 90, 90, 90)

        for boxes in ([FACE, other], [other, FACE]):
            gray = cv2.cvtColor(inside(anonymize(image, boxes, method), Box(110, 70, 120, 100)), cv2.COLOR_BGR2GRAY)
            assert np.abs(cv2.Laplacian(gray, cv2.CV_64F)).mean() < 8  # of the noise it is above 200


def test_a_box_holds_nothing_of_the_picture() -> None:
    first, second = (anonymize(make_image(320, 240, color), [FACE], "box") for color in ((0, 0, 0), (255, 255, 255)))

    np.testing.assert_array_equal(inside(first, HIDDEN), inside(second, HIDDEN))


def test_a_blur_holds_nine_colors_and_no_more() -> None:
    """Two pictures of the same mean colors come out the same, whatever else is in them."""
    generator = np.random.default_rng(5)
    image = generator.integers(0, 256, (200, 200, 3), np.uint8)
    box = Box(0, 0, 200, 200)
    shuffled = image.copy()
    edges = [0, 66, 133, 200]
    for top, bottom in itertools.pairwise(edges):
        for left, right in itertools.pairwise(edges):
            # The outermost pixels of a cell may count for two cells.
            cell = shuffled[top + 1 : bottom - 1, left + 1 : right - 1]
            cell[:] = generator.permutation(cell.reshape(-1, 3)).reshape(cell.shape)
    assert np.abs(shuffled.astype(int) - image).mean() > 50

    hidden = [anonymize(picture, [box], "blur").astype(int) for picture in (image, shuffled)]

    assert np.abs(hidden[0] - hidden[1]).max() <= 1


def test_two_faces_are_nearly_the_same_patch_once_blurred() -> None:
    """A face and its mirror image, upside down, in the same place: what is left of the difference is light and shade."""
    background = make_background((320, 240))
    picture, box = place_face(background, (160.0, 120.0), 90.0)
    other = picture.copy()
    face = inside(other, Box(box.x - 10, box.y - 10, box.width + 20, box.height + 20))
    face[:] = face[::-1, ::-1]
    before = np.abs(inside(picture, box).astype(int) - inside(other, box)).mean()

    hidden = [cv2.GaussianBlur(inside(anonymize(one, [box], "blur"), box), (0, 0), 1).astype(int) for one in (picture, other)]
    detail = [one - cv2.blur(one.astype(np.float32), (31, 31)) for one in hidden]

    assert before > 15
    assert np.abs(detail[0]).mean() < 4
    assert np.abs(detail[0] - detail[1]).mean() < 0.2 * before


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(KeyError):
        anonymize(make_image(), [], "smile")
