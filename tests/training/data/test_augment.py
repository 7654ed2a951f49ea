from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.training.data.augment import AUGMENTATIONS, Augmentation
from emodetect.training.hyperparameters import AUGMENTATION_NAMES

Images = npt.NDArray[np.uint8]

STRONG = Augmentation(
    rotation=20, shear=10, zoom=(0.8, 1.2), shift=0.1, flip=True, brightness=0.2, contrast=0.3, low_resolution=0.5, erase=0.5
)


def test_the_names_that_the_command_line_knows_are_those_of_the_augmentations() -> None:
    assert tuple(AUGMENTATIONS) == AUGMENTATION_NAMES


def make_faces(count: int, height: int = 48, width: int = 48) -> Images:
    """Soft, all different, and lopsided, so that a turn or flip shows."""
    generator = np.random.default_rng(4)
    images = [cv2.GaussianBlur(generator.uniform(0, 255, (height, width)), (0, 0), 3) for _ in range(count)]
    ramp = np.linspace(-60, 60, width)
    return np.asarray([np.clip(3 * (np.asarray(i) - 127) + 127 + ramp, 0, 255) for i in images], np.uint8).reshape(
        count, height, width
    )


def dot(x: int, y: int, size: int = 49) -> Images:
    """A soft bright spot on black; its middle is found by `middle`."""
    image = np.zeros((size, size), np.uint8)
    cv2.circle(image, (x, y), 3, 255, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)


def middle(image: Images) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    weights = image.astype(float)
    return float((columns * weights).sum() / weights.sum()), float((rows * weights).sum() / weights.sum())


def apply(augmentation: Augmentation, images: Images, seed: int = 0) -> Images:
    return augmentation.apply(images, np.random.default_rng(seed))


@pytest.mark.parametrize("augmentation", [Augmentation(), STRONG])
@pytest.mark.parametrize("shape", [(0, 48, 48), (1, 48, 48), (5, 48, 48), (3, 40, 64)])
def test_shape_and_type_stay(augmentation: Augmentation, shape: tuple[int, int, int]) -> None:
    result = apply(augmentation, make_faces(*shape))
    assert result.shape == shape
    assert result.dtype == np.uint8


def test_no_augmentation_changes_nothing() -> None:
    images = make_faces(5)
    np.testing.assert_array_equal(apply(Augmentation(), images), images)


def test_the_given_images_are_left_as_they_are() -> None:
    images = make_faces(8)
    before = images.copy()
    result = apply(STRONG, images)
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(result, images)


def test_the_seed_alone_decides() -> None:
    images = make_faces(8)
    np.testing.assert_array_equal(apply(STRONG, images, 3), apply(STRONG, images, 3))
    assert (apply(STRONG, images, 3) != apply(STRONG, images, 4)).any()


def test_each_image_is_changed_on_its_own() -> None:
    result = apply(STRONG, np.repeat(make_faces(1), 6, axis=0))
    assert len({image.tobytes() for image in result}) == 6


def test_flip_mirrors_about_every_second_face_from_left_to_right() -> None:
    images = make_faces(400)
    result = apply(Augmentation(flip=True), images)
    mirrored = (result == images[:, :, ::-1]).all(axis=(1, 2))
    same = (result == images).all(axis=(1, 2))
    assert (mirrored ^ same).all()
    assert 150 < mirrored.sum() < 250


def test_rotation_turns_to_both_sides_and_no_further_than_said() -> None:
    spots = np.repeat(dot(44, 24)[np.newaxis], 200, axis=0)
    angles = [np.degrees(np.arctan2(y - 24, x - 24)) for x, y in map(middle, apply(Augmentation(rotation=15), spots))]
    assert -15.5 < min(angles) < -12
    assert 12 < max(angles) < 15.5
    distances = [np.hypot(x - 24, y - 24) for x, y in map(middle, apply(Augmentation(rotation=15), spots))]
    np.testing.assert_allclose(distances, 20, atol=0.7)


def test_shear_moves_rows_sideways_and_keeps_their_height() -> None:
    spots = np.repeat(dot(24, 8)[np.newaxis], 200, axis=0)
    places = [middle(image) for image in apply(Augmentation(shear=10), spots)]
    reach = 16 * np.tan(np.radians(10))
    np.testing.assert_allclose([y for _, y in places], 8, atol=0.5)
    assert max(abs(x - 24) for x, _ in places) == pytest.approx(reach, abs=0.7)
    assert min(x for x, _ in places) < 24 - 0.7 * reach
    assert max(x for x, _ in places) > 24 + 0.7 * reach


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_a_zoom_above_one_makes_the_face_larger(zoom: float) -> None:
    [image] = apply(Augmentation(zoom=(zoom, zoom)), dot(36, 30)[np.newaxis])
    x, y = middle(image)
    # The middle of the picture stays.
    assert x - 24 == pytest.approx(12 * zoom, abs=0.4)
    assert y - 24 == pytest.approx(6 * zoom, abs=0.4)


def test_shift_moves_both_ways_by_a_share_of_each_side() -> None:
    image = np.zeros((40, 80), np.uint8)
    cv2.circle(image, (40, 20), 3, 255, cv2.FILLED)
    moves = [middle(moved) for moved in apply(Augmentation(shift=0.1), np.repeat(image[np.newaxis], 200, axis=0))]
    sideways, down = np.asarray(moves).T - np.asarray([[40], [20]])
    assert 6.5 < sideways.max() < 8.5
    assert -8.5 < sideways.min() < -6.5
    assert 3 < down.max() < 4.5
    assert -4.5 < down.min() < -3


def test_what_moves_in_from_outside_is_the_rim_and_not_black() -> None:
    images = np.full((50, 48, 48), 130, np.uint8)
    np.testing.assert_array_equal(apply(Augmentation(rotation=20, shift=0.2, zoom=(0.6, 1.0)), images), images)


def test_brightness_adds_the_same_to_all_and_no_more_than_said() -> None:
    images = np.full((200, 48, 48), 128, np.uint8)
    result = apply(Augmentation(brightness=0.2), images).astype(int)
    assert np.ptp(result, axis=(1, 2)).max() == 0
    means = result.mean(axis=(1, 2))
    assert 128 - 52 <= means.min() < 128 - 35
    assert 128 + 35 < means.max() <= 128 + 52


def test_contrast_stretches_about_the_mean() -> None:
    image = np.full((48, 48), 108, np.uint8)
    image[:, 24:] = 148
    result = apply(Augmentation(contrast=0.3), np.repeat(image[np.newaxis], 200, axis=0)).astype(int)
    spans = np.ptp(result, axis=(1, 2))
    assert 27 <= spans.min() < 32
    assert 48 < spans.max() <= 53
    np.testing.assert_allclose(result.mean(axis=(1, 2)), 128, atol=1)


@pytest.mark.parametrize("level", [0, 255])
def test_brightness_and_contrast_do_not_wrap_round(level: int) -> None:
    result = apply(Augmentation(brightness=0.4, contrast=0.5), np.full((100, 48, 48), level, np.uint8))
    assert np.abs(result.astype(int) - level).max() <= 0.4 * 255 + 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_such_a_share_of_the_faces_loses_resolution(share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 48, 48), np.uint8)
    result = apply(Augmentation(low_resolution=share), noise)
    blurred = (result != noise).any(axis=(1, 2))
    assert blurred.mean() == pytest.approx(share, abs=0.08)
    if share:
        # Less detail between neighbors, the same brightness.
        roughness = [np.abs(np.diff(images[blurred].astype(int), axis=2)).mean() for images in (result, noise)]
        assert roughness[0] < 0.7 * roughness[1]
        assert result.mean() == pytest.approx(noise.mean(), abs=2)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_such_a_share_of_the_faces_loses_a_rectangle(share: float) -> None:
    images = np.full((300, 48, 48), 128, np.uint8)
    erased = apply(Augmentation(erase=share), images) != 128
    assert erased.any(axis=(1, 2)).mean() == pytest.approx(share, abs=0.08)
    for mask in erased[erased.any(axis=(1, 2))]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        area = len(rows) * len(columns)
        # A rectangle without holes, but for noise that happens to be 128.
        assert rows[-1] - rows[0] + 1 == len(rows)
        assert columns[-1] - columns[0] + 1 == len(columns)
        assert mask.sum() >= 0.9 * area
        assert 0.01 * 48 * 48 < area < 0.25 * 48 * 48


def test_a_background_stands_where_the_face_does_not_reach() -> None:
    """Every second face gets one; without one the face's border is drawn out."""
    faces, behind = np.full((60, 48, 48), 200, np.uint8), np.zeros((1, 48, 48), np.uint8)
    result = Augmentation(zoom=(0.5, 0.5)).apply(faces, np.random.default_rng(0), behind)
    with_background = np.asarray([face[0, 0] == 0 for face in result])
    assert 15 < with_background.sum() < 45
    assert (result[~with_background] == 200).all()
    assert (result[with_background][:, 20:28, 20:28] == 200).all()
