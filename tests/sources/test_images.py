from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from emodetect.errors import SourceError
from emodetect.sources.images import READ_SUFFIXES, find_images, read_image
from emodetect.types import Image
from tests.builders import PHOTO

EXIF_ORIENTATION = 0x0112

UPRIGHT: dict[int, Callable[[Image], Image]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: lambda image: np.rot90(image, 1),
}
"""What makes a picture of each orientation upright."""


@pytest.fixture
def picture() -> Image:
    """Wider than high, no two corners alike, smooth enough to survive JPEG."""
    rows, columns = np.mgrid[0:40, 0:64]
    return np.stack([4 * columns, 6 * rows, 255 - 2 * columns - 2 * rows], axis=-1).astype(np.uint8)


def encode(image: Image, suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, image)[1])


def assert_close(result: Image, expected: Image, tolerance: float) -> None:
    assert result.dtype == np.uint8
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected.astype(int)).mean() <= tolerance


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("a.png", 0), ("a.bmp", 0), ("a.tiff", 0), ("a.jpg", 3), ("A.JPEG", 3), ("a.webp", 3), ("no ending, spaces, ünïcode", 0)],
)
def test_reads_the_usual_kinds_as_bgr(tmp_path: Path, picture: Image, name: str, tolerance: float) -> None:
    path = tmp_path / name
    path.write_bytes(encode(picture, path.suffix.lower() or ".png"))
    assert_close(read_image(path), picture, tolerance)


def test_the_kind_is_in_the_content_and_not_in_the_name(tmp_path: Path, picture: Image) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encode(picture, ".png"))
    assert_close(read_image(path), picture, 0)


def test_the_smallest_picture_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(encode(np.asarray([[[1, 2, 3]]], np.uint8), ".png"))
    assert read_image(path).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_colours_keep_their_brightness(tmp_path: Path, picture: Image, suffix: str) -> None:
    path = tmp_path / f"deep{suffix}"
    assert cv2.imwrite(str(path), picture.astype(np.uint16) * 257)
    assert_close(read_image(path), picture, 1)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_gray_becomes_three_equal_channels(tmp_path: Path, picture: Image, depth: type[np.uint8] | type[np.uint16]) -> None:
    path = tmp_path / "gray.png"
    gray = picture[..., 0].astype(depth) * (257 if depth is np.uint16 else 1)
    assert cv2.imwrite(str(path), gray)
    assert_close(read_image(path), np.repeat(picture[..., :1], 3, axis=2), 1)


@pytest.mark.parametrize(("kind", "limit"), [("10 bits", 1023), ("12 bits", 4095), ("14 bits", 16383)])
def test_fewer_bits_in_16_are_stretched(tmp_path: Path, picture: Image, kind: str, limit: int) -> None:
    path = tmp_path / "sensor.png"
    assert cv2.imwrite(str(path), np.rint(picture / 255.0 * limit).astype(np.uint16))
    assert_close(read_image(path), picture, 1)


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (1.0, 0.0), (1000 / 255, -300.0)])
def test_numbers_that_are_not_whole_are_brought_to_8_bits(tmp_path: Path, picture: Image, scale: float, offset: float) -> None:
    path = tmp_path / "float.tiff"
    picture[0, 0], picture[0, 1] = 0, 255
    values = (scale * picture + offset).astype(np.float32)
    values[5, 5] = np.nan
    assert cv2.imwrite(str(path), values)
    result = read_image(path)
    result[5, 5] = picture[5, 5]
    assert_close(result, picture, 1)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_what_is_transparent_shows_white(tmp_path: Path, picture: Image, depth: type[np.uint8] | type[np.uint16]) -> None:
    path, unit = tmp_path / "alpha.png", 257 if depth is np.uint16 else 1
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:20], alpha[20:30] = 0, 51
    assert cv2.imwrite(str(path), np.dstack([picture, alpha]).astype(depth) * unit)
    expected = picture.copy()
    expected[:20], expected[20:30] = 255, np.rint(204 + 0.2 * picture[20:30])
    assert_close(read_image(path), expected, 1)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_what_is_transparent_is_turned_with_the_picture(tmp_path: Path, picture: Image, orientation: int, suffix: str) -> None:
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:10, :20] = 0
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / f"turned{suffix}"
    Pillow.fromarray(np.dstack([picture[..., ::-1], alpha])).save(path, exif=exif, lossless=True)
    expected = np.where(alpha[..., np.newaxis] == 0, np.uint8(255), picture)
    assert_close(read_image(path), UPRIGHT[orientation](expected), 1)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [("LA", (90, 10), (249, 249, 249)), ("1", 1, (255, 255, 255)), ("P", 0, (0, 0, 0)), ("L", 17, (17, 17, 17))],
)
def test_other_modes_of_png(tmp_path: Path, mode: str, color: int | tuple[int, int], expected: tuple[int, int, int]) -> None:
    path = tmp_path / "mode.png"
    Pillow.new(mode, (5, 3), color).save(path)
    image = read_image(path)
    assert image.shape == (3, 5, 3)
    assert tuple(image[1, 1].tolist()) == expected


@pytest.mark.parametrize("name", ["print.jpg", "print.tiff"])
def test_cmyk_is_converted(tmp_path: Path, picture: Image, name: str) -> None:
    path = tmp_path / name
    Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1])).convert("CMYK").save(path)
    # Inverted inks, the usual mistake, would be off by a hundred.
    assert_close(read_image(path), picture, 6)


@pytest.mark.parametrize(("orientation", "upright"), UPRIGHT.items())
def test_the_rotation_in_exif_is_applied(
    tmp_path: Path, picture: Image, orientation: int, upright: Callable[[Image], Image]
) -> None:
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / "turned.jpg"
    Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(path, exif=exif, quality=98, subsampling=0)
    assert_close(read_image(path), upright(picture), 3)


def progressive() -> bytes:
    buffer = io.BytesIO()
    Pillow.open(PHOTO).save(buffer, "JPEG", progressive=True)
    return buffer.getvalue()


CUT: dict[str, Callable[[], bytes]] = {
    "baseline.jpg": PHOTO.read_bytes,
    "progressive.jpg": progressive,
    "a.png": lambda: encode(np.asarray(cv2.imread(str(PHOTO)), np.uint8), ".png"),
    "a.bmp": lambda: encode(np.asarray(cv2.imread(str(PHOTO)), np.uint8), ".bmp"),
    "a.webp": lambda: encode(np.asarray(cv2.imread(str(PHOTO)), np.uint8), ".webp"),
}


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", CUT)
def test_a_picture_that_is_cut_short_is_an_error(tmp_path: Path, name: str, share: float) -> None:
    data = CUT[name]()
    path = tmp_path / name
    path.write_bytes(data)
    assert read_image(path).shape == (512, 512, 3)
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(SourceError, match="cut short") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_a_picture_with_a_broken_part_is_an_error(tmp_path: Path, picture: Image) -> None:
    data = bytearray(encode(picture, ".png"))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "broken.png"
    path.write_bytes(bytes(data))
    with pytest.raises(SourceError, match="not an image"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such file", id="missing"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"hello\n" * 40, "not an image", id="text"),
        pytest.param(b"\xff\xd8\xff\xe0", "not an image", id="only the start of a JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "not an image", id="only the start of a PNG"),
        pytest.param(bytes(5000), "not an image", id="zeros"),
    ],
)
def test_what_is_no_picture_is_an_error_that_names_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "picture.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("photo.HEIC", HEIC, "photo.HEIC: HEIC cannot be read here; export it as JPEG"),
        ("named.jpg", HEIC, "named.jpg: HEIC cannot be read here; export it as JPEG"),
        ("a.nef", bytes(200), r"a.nef: a camera's raw picture \(.nef\) cannot be read here; export it as JPEG"),
        ("a.jxl", bytes(200), "a.jxl: JXL cannot be read here"),
        ("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0" + bytes(200), "a.avif: AVIF, or one that is cut short, cannot be read here"),
    ],
)
def test_kinds_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read_image(tmp_path / name)


def test_all_that_can_be_read_is_found_in_folders_and_patterns(tmp_path: Path, picture: Image) -> None:
    for suffix in READ_SUFFIXES:
        Pillow.fromarray(picture).save(tmp_path / f"a{suffix}")
        assert read_image(tmp_path / f"a{suffix}").shape == picture.shape
    for name in ("b.heic", "c.NEF", "d.txt"):
        (tmp_path / name).write_bytes(bytes(9))
    read = [tmp_path / f"a{suffix}" for suffix in sorted(READ_SUFFIXES)]
    for named in (tmp_path, tmp_path / "*"):
        assert find_images([named]) == (dict.fromkeys(read), [tmp_path / "b.heic", tmp_path / "c.NEF"])
    assert find_images([tmp_path, tmp_path / "b.heic"]) == (
        dict.fromkeys([*read, tmp_path / "b.heic"]),
        [tmp_path / "c.NEF"],
    )


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        read_image(tmp_path)


def test_a_picture_that_claims_to_be_gigantic_is_an_error(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )
    with pytest.raises(SourceError, match=r"bomb\.png: "):
        read_image(path)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(SourceError, match="cannot be read"):
        read_image(path)
