from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from emodetect.errors import SourceError
from emodetect.media.pixel_limit import VARIABLE
from emodetect.sources.pictures import Color, iterate_pictures, load_image
from emodetect.system.assumptions import ASSUMPTIONS, warn_once
from emodetect.types import Frame, Image
from tests.builders import PHOTO, make_image

COLORS = np.zeros((4, 6, 3), np.uint8)
COLORS[:2], COLORS[2:, :3], COLORS[2:, 3:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
"""Blue above green and red, BGR: a swap or a turn shows."""


def content(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pil(image: Image) -> PIL.Image.Image:
    return PIL.Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def distance(first: Image, second: Image) -> float:
    """The mean difference of two pictures' values."""
    assert first.shape == second.shape
    return float(np.abs(first.astype(int) - second).mean())


def test_files_and_their_bytes_give_the_same(photo: Image) -> None:
    data = PHOTO.read_bytes()
    for picture in (str(PHOTO), PHOTO, data, bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(load_image(picture), photo)


def test_bytes_of_every_other_byte_are_taken_as_they_are(photo: Image) -> None:
    data = np.repeat(np.frombuffer(PHOTO.read_bytes(), np.uint8), 2).tobytes()
    np.testing.assert_array_equal(load_image(memoryview(data)[::2]), photo)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "expected the content of a picture's file, got none"),
        (b"photo.jpg", "not an image that can be read"),
        (PHOTO.read_bytes()[:5000], "cut short"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC cannot be read here"),
    ],
)
def test_bytes_that_are_no_picture(data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=f"^bytes: .*{said}"):
        load_image(data)


def test_bytes_have_the_limits_of_files(photo: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1000")
    with pytest.raises(SourceError, match="announces more than 1000 pixels"):
        load_image(content(pil(photo), "PNG"))
    with pytest.raises(SourceError, match=r"is a file of .* may have"):
        load_image(bytes(2**26 + 1))
    with pytest.raises(SourceError, match="more than 1000 pixels"):
        load_image(pil(photo))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_bytes_and_pil_images_come_out_upright(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = content(pil(cv2.resize(COLORS, (240, 160), interpolation=cv2.INTER_NEAREST)), "PNG", exif=exif)
    np.testing.assert_array_equal(load_image(PIL.Image.open(io.BytesIO(data))), load_image(data))


@pytest.mark.parametrize(
    ("array", "color", "expected"),
    [
        pytest.param(COLORS, "bgr", COLORS, id="BGR"),
        pytest.param(COLORS[..., ::-1], "rgb", COLORS, id="RGB"),
        pytest.param(np.dstack([COLORS, np.full((4, 6), 255, np.uint8)]), "bgr", COLORS, id="BGRA"),
        pytest.param(np.dstack([COLORS[..., ::-1], np.full((4, 6), 255, np.uint8)]), "rgb", COLORS, id="RGBA"),
        pytest.param(COLORS[..., 0], "bgr", COLORS[..., [0, 0, 0]], id="gray"),
        pytest.param(COLORS[..., :1], "rgb", COLORS[..., [0, 0, 0]], id="gray, one channel"),
        pytest.param(np.ma.masked_array(COLORS), "bgr", COLORS, id="masked"),
    ],
)
def test_arrays(array: Image, color: Color, expected: Image) -> None:
    before = array.copy()
    image = load_image(array, color=color)
    assert type(image) is np.ndarray
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(array, before)


def test_what_is_transparent_shows_white() -> None:
    image = np.dstack([COLORS, np.repeat(np.array([[0], [255], [0], [255]], np.uint8), 6, axis=1)])
    expected = COLORS.copy()
    expected[::2] = 255
    np.testing.assert_array_equal(load_image(image), expected)
    np.testing.assert_array_equal(load_image(PIL.Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))), expected)


def test_a_fourth_channel_of_zeros_is_said_to_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, ASSUMPTIONS):
        np.testing.assert_array_equal(load_image(np.dstack([COLORS, np.zeros((4, 6), np.uint8)])), COLORS)
    assert "fourth channel" in caplog.text


@pytest.mark.parametrize(
    ("array", "got", "hint"),
    [
        (np.zeros((4, 6, 3)), "float64 (4, 6, 3)", "(255 * image).astype(np.uint8)"),
        (np.full((4, 6), 200.0), "float64 (4, 6)", "; image.astype(np.uint8)"),
        (np.full((4, 6, 3), 200), "int64 (4, 6, 3)", "; image.astype(np.uint8)"),
        (np.full((4, 6, 3), 60_000, np.uint16), "uint16 (4, 6, 3)", "(image // 257).astype(np.uint8)"),
        (np.full((4, 6, 3), True), "bool (4, 6, 3)", "(255 * image)"),
        (np.full((4, 6, 3), np.nan), "float64 (4, 6, 3)", ""),
        (np.full((4, 6, 3), None), "object (4, 6, 3)", ""),
        (np.zeros((3, 40, 60), np.uint8), "uint8 (3, 40, 60)", "np.moveaxis(image, 0, -1)"),
        (np.zeros((2, 4, 6, 3), np.uint8), "uint8 (2, 4, 6, 3)", "one at a time"),
        (np.zeros((4, 6, 2), np.uint8), "uint8 (4, 6, 2)", ""),
        (np.zeros((4, 6, 5), np.uint8), "uint8 (4, 6, 5)", ""),
        (np.zeros((0, 6), np.uint8), "uint8 (0, 6)", "no pixels"),
        (np.zeros((0, 6, 4), np.uint8), "uint8 (0, 6, 4)", "no pixels"),
        (np.zeros((5,), np.uint8), "uint8 (5,)", ""),
        (np.array(5, np.uint8), "uint8 ()", ""),
    ],
)
def test_other_arrays_are_refused(array: Any, got: str, hint: str) -> None:
    expected = "expected a uint8 (height, width) or (height, width, 1, 3 or 4) image, got "
    with pytest.raises(ValueError, match=f"^{re.escape(expected + got)}.*{re.escape(hint)}"):
        load_image(array)


@pytest.mark.parametrize("color", ["RGB", None, "gray", ["rgb"]])
def test_other_orders_are_refused(color: Any) -> None:
    with pytest.raises(ValueError, match="color: expected 'bgr' or 'rgb', got"):
        load_image(make_image(), color=color)


@pytest.mark.parametrize(
    ("picture", "said"),
    [(None, "None"), ([[1]], "a list"), (5, "an int"), (io.BytesIO(), "a BytesIO; its read"), (True, "a bool")],
)
def test_other_things_are_refused(picture: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f"expected a file's name, its bytes, a PIL image, or a uint8 array, got {said}"):
        load_image(picture)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"])
def test_pil_images_in_color(mode: str, photo: Image) -> None:
    picture = pil(photo)
    if mode == "LAB":
        profiles = PIL.ImageCms.createProfile("sRGB"), PIL.ImageCms.createProfile("LAB")
        converted = PIL.ImageCms.profileToProfile(picture, *profiles, outputMode=mode)
        assert converted is not None
        picture = converted
    else:
        picture = picture.convert(mode)
    assert distance(load_image(picture), photo) < 2


@pytest.mark.parametrize("mode", ["L", "LA", "La", "I", "F", "I;16", "I;16B"])
def test_pil_images_in_gray(mode: str, photo: Image) -> None:
    gray = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
    picture = PIL.Image.fromarray(gray)
    if mode.startswith("I;16"):
        data = (gray.astype(np.uint16) * 257).astype(">u2" if mode.endswith("B") else "<u2").tobytes()
        picture = PIL.Image.frombytes(mode, picture.size, data)
    else:
        picture = picture.convert("LA").convert(mode) if mode == "La" else picture.convert(mode)
    assert picture.mode == mode
    assert distance(load_image(picture), cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)) < 2


@pytest.mark.parametrize("mode", ["1", "P", "PA"])
def test_pil_images_of_few_colors(mode: str, photo: Image) -> None:
    picture = pil(photo).convert(mode)
    expected = np.asarray(cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR), np.uint8)
    np.testing.assert_array_equal(load_image(picture), expected)


def test_a_transparent_color_of_a_palette_shows_white() -> None:
    picture = PIL.Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putdata([0, 1])
    picture.info["transparency"] = 1
    np.testing.assert_array_equal(load_image(picture), [[[0, 0, 255], [255, 255, 255]]])


def test_pil_images_that_cannot_be_read() -> None:
    with pytest.raises(SourceError, match=r"a PIL image of mode RGB cannot be read .*truncated"):
        load_image(PIL.Image.open(io.BytesIO(PHOTO.read_bytes()[:9000])))
    with pytest.raises(ValueError, match="expected a PIL image with pixels, got one of 0 x 5"):
        load_image(PIL.Image.new("RGB", (0, 5)))


def test_of_a_frame_it_is_the_image() -> None:
    frame = Frame(make_image())
    assert load_image(frame) is frame.image


@pytest.mark.parametrize(
    "pictures", ["a.jpg", Path("a.jpg"), b"a", make_image(), Frame(make_image()), 5, None, {"a": 1}, io.BytesIO()]
)
def test_one_picture_is_not_several(pictures: Any) -> None:
    with pytest.raises(TypeError, match="expected some pictures, got"):
        iterate_pictures(pictures, "some pictures")


def test_several_pictures() -> None:
    assert (
        len([*iterate_pictures([make_image()] * 2, "some")])
        == len([*iterate_pictures(np.zeros((2, 4, 6, 3), np.uint8), "some")])
        == 2
    )
