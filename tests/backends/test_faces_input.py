from __future__ import annotations

import cv2
import numpy as np
import pytest

from emodetect.backends.conventions import Scaling
from emodetect.backends.faces_input import FaceInput
from emodetect.sources.images import read_image
from tests.builders import PHOTO, make_image


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    ("channels", "first", "shape"),
    [(1, False, (40, 56, 1)), (3, False, (40, 56, 3)), (1, True, (1, 40, 56)), (3, True, (3, 40, 56))],
)
def test_the_batch_has_the_networks_shape(count: int, channels: int, first: bool, shape: tuple[int, ...]) -> None:
    batch = FaceInput(40, 56, channels, channels_first=first).prepare([make_image()] * count)
    assert batch.shape == (count, *shape)
    assert batch.dtype == np.float32
    assert batch.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (20, 24), (48, 48), (48, 96), (500, 700)])
@pytest.mark.parametrize("channels", [1, 3])
def test_crops_of_any_size_fill_the_input(size: tuple[int, int], channels: int) -> None:
    batch = FaceInput(channels=channels, scaling=Scaling.parse("0..255")).prepare([make_image(*size, color=(90, 90, 90))])
    np.testing.assert_allclose(batch, np.full((1, 48, 48, channels), 90), atol=1)


@pytest.mark.parametrize("first", [False, True])
def test_color_networks_get_red_first(first: bool) -> None:
    batch = FaceInput(4, 4, 3, channels_first=first, scaling=Scaling.parse("0..255")).prepare([make_image(color=(10, 20, 30))])
    pixel = batch[0, :, 0, 0] if first else batch[0, 0, 0]
    assert pixel.tolist() == [30, 20, 10]


def test_gray_is_weighted_as_eyes_see_it() -> None:
    batch = FaceInput(scaling=Scaling.parse("0..255")).prepare([make_image(color=(0, 0, 255)), make_image(color=(255, 0, 0))])
    assert batch[0, 0, 0, 0] == pytest.approx(0.299 * 255, abs=1)
    assert batch[1, 0, 0, 0] == pytest.approx(0.114 * 255, abs=1)


@pytest.mark.parametrize(
    ("scale", "offset", "black", "white"),
    [(1 / 255, 0.0, 0, 1), (1.0, 0.0, 0, 255), (2 / 255, -1.0, -1, 1), (1 / 127.5, -1.0, -1, 1)],
)
def test_pixels_are_scaled_and_then_moved(scale: float, offset: float, black: float, white: float) -> None:
    crops = [make_image(color=(0, 0, 0)), make_image(color=(255, 255, 255))]
    batch = FaceInput(scaling=Scaling((scale,), (offset,))).prepare(crops)
    np.testing.assert_allclose(batch[0], black, atol=1e-6)
    np.testing.assert_allclose(batch[1], white, atol=1e-6)


def test_rows_stay_rows_and_columns_columns() -> None:
    crop = make_image(96, 96, (0, 0, 0))
    crop[:48] = 255  # the upper half is white
    [result] = FaceInput(scaling=Scaling.parse("0..255")).prepare([crop])
    assert result[:23].min() == 255
    assert result[25:].max() == 0


def test_an_input_that_is_not_square_keeps_its_columns() -> None:
    crop = make_image(80, 80, (0, 0, 0))
    crop[:, :40] = 255  # the left half is white
    [result] = FaceInput(20, 60, scaling=Scaling.parse("0..255")).prepare([crop])
    assert result[:, :29].min() == 255
    assert result[:, 31:].max() == 0


def test_crops_keep_their_order() -> None:
    levels = [10, 200, 90]
    batch = FaceInput(scaling=Scaling.parse("0..255")).prepare(
        [make_image(30 + 40 * i, 50, (v, v, v)) for i, v in enumerate(levels)]
    )
    np.testing.assert_allclose(batch.mean(axis=(1, 2, 3)), levels, atol=1)


def test_large_crops_are_averaged_and_not_sampled() -> None:
    # A fine chessboard is gray from afar; picking single pixels would leave it black and white.
    board = np.indices((480, 480)).sum(axis=0) % 2 * 255
    [result] = FaceInput(scaling=Scaling.parse("0..255")).prepare([np.repeat(board[..., np.newaxis], 3, axis=2).astype(np.uint8)])
    np.testing.assert_allclose(result, 127.5, atol=1)


def test_crops_are_left_as_they_are() -> None:
    crop = make_image()
    before = crop.copy()
    FaceInput().prepare([crop])
    np.testing.assert_array_equal(crop, before)


def test_a_dim_crop_is_stretched_to_the_wanted_contrast() -> None:
    bright = np.random.default_rng(0).normal(120, 45, (48, 48, 1)).clip(0, 255).repeat(3, axis=2)
    dim, levels = np.rint(0.55 * bright).astype(np.uint8), Scaling.parse("0..255")
    [seen] = FaceInput(scaling=levels, min_contrast=30.0).prepare([dim])
    assert dim.std() < 25
    assert seen.std() == pytest.approx(30, rel=0.02)
    assert seen.mean() == pytest.approx(dim.mean() * 30 / dim.std(), rel=0.02)
    assert np.array_equal(FaceInput(scaling=levels).prepare([dim])[0, ..., 0], dim[..., 0])


def test_a_dark_crop_looks_like_a_bright_one_and_its_noise_is_smoothed() -> None:
    bright = cv2.cvtColor(
        cv2.resize(read_image(PHOTO)[66:160, 177:271], (48, 48), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    noise = np.random.default_rng(0).normal(0, 2, (48, 48))
    dark = np.clip(np.rint(0.1 * bright + noise), 0, 255).astype(np.uint8)
    plain, stretched = (
        FaceInput(scaling=Scaling.parse("0..255"), min_contrast=least).prepare([cv2.cvtColor(dark, cv2.COLOR_GRAY2BGR)])[
            0, ..., 0
        ]
        for least in (0.0, 30.0)
    )
    alike = [np.corrcoef(seen.ravel(), bright.ravel())[0, 1] for seen in (plain, stretched)]
    assert alike[1] > alike[0] + 0.02
    assert stretched.mean() > 3 * plain.mean()


def test_an_even_crop_is_left_alone() -> None:
    even = np.full((48, 48, 3), 7, np.uint8)
    assert (FaceInput(scaling=Scaling.parse("0..255"), min_contrast=30.0).prepare([even]) == 7).all()
