from __future__ import annotations

import glob
import io
import os
import shutil
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from emodetect.errors import SourceError
from emodetect.media.pixel_limit import MAX_PIXELS, max_picture_bytes
from emodetect.sources.images import READ_SUFFIXES, find_images, read_image
from emodetect.sources.picture_size import DecodedSize, decoded_size, jpeg_scans
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
def test_16_bit_colors_keep_their_brightness(tmp_path: Path, picture: Image, suffix: str) -> None:
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


@pytest.mark.parametrize(
    ("name", "kind", "scale"),
    [("a.tiff", np.float32, 1 / 255), ("a.tiff", np.float64, 1 / 255), ("a.tiff", np.int32, 8e6), ("a.pfm", np.float32, 1 / 255)],
)
def test_gray_of_other_numbers_is_read(tmp_path: Path, name: str, kind: type[np.generic], scale: float) -> None:
    gray = np.asarray(cv2.imread(str(PHOTO), cv2.IMREAD_GRAYSCALE), np.uint8)
    gray[0, :2] = 0, 255
    assert cv2.imwrite(str(tmp_path / name), (gray * scale).astype(kind))

    picture = read_image(tmp_path / name)

    assert picture.shape == (*gray.shape, 3)
    assert np.abs(picture.astype(int) - gray[..., None]).max() <= 1


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


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "form"), [(1, "B3x"), (3, "H2x"), (4, "I")], ids=["byte", "short", "long"])
def test_a_rotation_of_any_type_is_applied(tmp_path: Path, picture: Image, kind: int, form: str, order: str, suffix: str) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    exif = head + struct.pack(f"{order}IHHHI{form}I", 8, 1, 0x0112, kind, 1, 6, 0)
    path = tmp_path / f"photo.{suffix}"
    Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(path, exif=b"Exif\0\0" + exif, quality=98)
    assert_close(read_image(path), UPRIGHT[6](picture), 30)


@pytest.mark.parametrize(("orientation", "upright"), UPRIGHT.items())
def test_the_rotation_in_exif_is_applied(
    tmp_path: Path, picture: Image, orientation: int, upright: Callable[[Image], Image]
) -> None:
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / "turned.jpg"
    Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(path, exif=exif, quality=98, subsampling=0)
    assert_close(read_image(path), upright(picture), 3)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("alpha", [255, 0])
@pytest.mark.parametrize(("orientation", "upright"), UPRIGHT.items())
def test_the_rotation_of_an_animation_is_applied(
    tmp_path: Path, picture: Image, orientation: int, upright: Callable[[Image], Image], alpha: int, suffix: str
) -> None:
    opacity = np.full(picture.shape[:2], 255, np.uint8)
    opacity[:10, :20] = alpha
    frame = Pillow.fromarray(np.dstack([picture[..., ::-1], opacity]))
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / f"turned{suffix}"
    frame.save(path, exif=exif, lossless=True, save_all=True, append_images=[frame.rotate(180)])
    expected = np.where(opacity[..., np.newaxis] == 0, np.uint8(255), picture)
    assert_close(read_image(path), upright(expected), 1)


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


def png_header(width: int, height: int, depth: int, color: int) -> bytes:
    """A PNG file of which only the header is there."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def tiff_header(width: int, height: int, bits: int, samples: int, order: str = "<", *, big: bool = False) -> bytes:
    """The directory of a TIFF file; the bits of each channel, which must be many, stand behind it."""
    number, count, field = ("Q", "Q", 20) if big else ("L", "H", 12)
    head = {"<": b"II", ">": b"MM"}[order]
    head += struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HL", 42, 8)
    behind = len(head) + struct.calcsize(order + count) + 4 * field + struct.calcsize(order + number)
    entries = b""
    for tag, kind, many, value in ((256, 4, 1, width), (257, 4, 1, height), (258, 3, samples, behind), (277, 3, 1, samples)):
        packed = struct.pack(order + ("H" if kind == 3 and many == 1 else "L" if kind == 4 else number), value)
        entries += struct.pack(order + "HH" + number, tag, kind, many) + packed.ljust(8 if big else 4, b"\0")
    end = bytes(struct.calcsize(order + number)) + struct.pack(order + samples * "H", *[bits] * samples)
    return head + struct.pack(order + count, 4) + entries + end


@pytest.mark.parametrize(
    ("name", "data", "size"),
    [
        ("a.png", png_header(14000, 14000, 16, 6), "14000 x 14000 pixels of 8 bytes would take 1.6 GB"),
        ("a.png", png_header(14000, 14000, 16, 4), "pixels of 8 bytes"),
        ("a.png", png_header(14000, 14000, 16, 2), "pixels of 6 bytes"),
        ("a.tif", tiff_header(12000, 12000, 32, 4), "pixels of 16 bytes"),
        ("a.tif", tiff_header(12000, 12000, 64, 3, ">"), "pixels of 24 bytes"),
        ("a.tif", tiff_header(12000, 12000, 16, 5, big=True), "pixels of 10 bytes"),
        ("a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 12000 +X 12000\n", "pixels of 12 bytes"),
        ("a.pfm", b"PF\n12000 12000\n-1.0\n", "pixels of 12 bytes"),
        ("a.ppm", b"P6 # a comment\n12000 # another\n12000 65535\n", "pixels of 6 bytes"),
        ("a.pam", b"P7\nWIDTH 12000\nHEIGHT 12000\nDEPTH 4\nMAXVAL 65535\nENDHDR\n", "pixels of 8 bytes"),
        ("a.j2k", b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">8LH", 12000, 12000, *[0] * 6, 3), "pixels of 16 bytes"),
        (
            "a.exr",
            b"\x76\x2f\x31\x01" + bytes(8) + b"dataWindow\0box2i\0" + struct.pack("<l4l", 16, 0, 0, 9999, 9999),
            "of 16 bytes",
        ),
        ("a.png", png_header(20000, 20000, 8, 2), "announces more than 200000000 pixels"),
    ],
)
def test_pixels_count_times_their_depth(tmp_path: Path, name: str, data: bytes, size: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=f"{name}: .*{size}"):
        read_image(path)


@pytest.mark.parametrize(
    ("suffix", "dtype", "pixel_bytes"),
    [
        (".png", np.uint8, 3), (".png", np.uint16, 6), (".tiff", np.uint8, 3), (".tiff", np.uint16, 6), (".tiff", np.float32, 12),
        (".ppm", np.uint8, 3), (".ppm", np.uint16, 6), (".hdr", np.float32, 12), (".pfm", np.float32, 12), (".jp2", np.uint8, 16),
        (".avif", np.uint8, 4),
    ],
)  # fmt: skip
def test_the_size_is_read_from_the_header(picture: Image, suffix: str, dtype: type, pixel_bytes: int) -> None:
    data = bytes(cv2.imencode(suffix, picture.astype(dtype))[1])
    assert decoded_size(data) == DecodedSize(64, 40, pixel_bytes)
    for length in range(0, min(len(data), 600), 7):
        decoded_size(data[:length])  # whatever is missing


def test_a_picture_of_eight_bits_may_have_all_the_pixels(tmp_path: Path) -> None:
    assert max_picture_bytes() == 4 * MAX_PIXELS


def test_a_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.touch()
    os.truncate(path, 200 * 2**30)
    with pytest.raises(SourceError, match=r"a\.jpg: is a file of 214\.7 GB; a picture's may have 0\.8 GB at most"):
        read_image(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(SourceError, match="is not a file but a pipe, a socket or a device"):
        read_image(path)
    found, _ = find_images([tmp_path])
    assert [str(error) for error in found.values()] == [f"{tmp_path}: is a folder without pictures ({', '.join(READ_SUFFIXES)})"]


@pytest.mark.parametrize("is_progressive", [True, False])
def test_a_jpeg_of_thousands_of_scans_is_refused(tmp_path: Path, is_progressive: bool) -> None:
    data = io.BytesIO()
    Pillow.new("RGB", (64, 64), 128).save(data, "JPEG", progressive=is_progressive)
    whole = data.getvalue()
    last = whole[whole.rindex(b"\xff\xda") : -2] if is_progressive else b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    assert (1 < jpeg_scans(whole) < 20) if is_progressive else jpeg_scans(whole) == 1
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:-2] + 5000 * last + b"\xff\xd9")
    with pytest.raises(SourceError, match=r"a JPEG of 5,\d{3} scans would take too long; 100 are read at most"):
        read_image(path)
    baseline = PHOTO.read_bytes()
    path.write_bytes(baseline + 500 * b"\xff\xda\0\2")  # what stands behind the picture is none of it
    assert jpeg_scans(path.read_bytes()) == 1
    assert read_image(path).shape == (512, 512, 3)


@pytest.mark.parametrize("values", [np.uint8, np.uint16])
def test_pictures_higher_than_a_band_are_put_on_white_all_the_same(tmp_path: Path, values: type) -> None:
    most = np.iinfo(values).max
    picture: npt.NDArray[Any] = np.zeros((700, 30, 4), values)
    picture[:600, :, 3] = most
    (tmp_path / "a.png").write_bytes(encode(picture, ".png"))
    read = read_image(tmp_path / "a.png")
    assert (read[:600] == 0).all()
    assert (read[600:] == 255).all()


@pytest.mark.parametrize(
    "pattern", ["trip/**/*.jpg", "trip/**/**/*.jpg", "trip/" + 30 * "*/" + "*.jpg", "trip/**", "**/trip/**/1.*"]
)
def test_a_pattern_looks_into_each_real_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("trip", "trip/sub"):
        Path(name).mkdir()
        shutil.copy(PHOTO, f"{name}/1.jpg")
        for link in ("a", "b"):
            Path(name, link).symlink_to(tmp_path / "trip")
        Path(name, "itself").symlink_to("itself")
    found, _ = find_images([Path(pattern)])
    assert {os.path.realpath(path) for path in found} <= {str(tmp_path / "trip/1.jpg"), str(tmp_path / "trip/sub/1.jpg")}
    assert None in found.values() or "**" not in pattern
    if pattern == "trip/**/*.jpg":
        assert sorted(map(str, found)) == ["trip/1.jpg", "trip/sub/1.jpg"]


@pytest.mark.parametrize(
    "pattern",
    [
        "*.jpg",
        "*",
        "**/*.jpg",
        "*/*.jpg",
        "a/*/*.jpg",
        "**/b/*.jpg",
        "a/[bc]/?.jpg",
        "**",
        "a/**",
        ".h/*.jpg",
        "**/.h/*.jpg",
        "a/b/1.*",
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_patterns_match_as_those_of_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("1.jpg", "a/1.jpg", "a/b/1.jpg", "a/b/.2.jpg", "a/c/3.jpg", "b/4.jpg", ".h/5.jpg", "a/b/b/6.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PHOTO, name)
    named = os.path.join(tmp_path, pattern) if absolute else pattern
    found, _ = find_images([Path(named)])
    expected = sorted({Path(name) for name in glob.glob(named, recursive=True) if os.path.isfile(name)})
    assert [path for path, error in found.items() if error is None] == expected


@pytest.mark.parametrize(
    "data",
    [
        b"P6" + b" " * 10**6 + b"x", b"P7\n" + b"WIDTH " * 10**5, b"#?RADIANCE" + b"\n-Y " * 10**6, b"II*\0\xff\xff\xff\xff",
        b"\0\0\0\x20ftypavifispe", b"\0\0\0\x0cjP  " + bytes(40), b"\xff\xd8\xff\xc2\0\x02\xff\xda\0\x02", b"\x89PNG\r\n\x1a\n",
    ],
)  # fmt: skip
def test_a_damaged_header_says_nothing(data: bytes) -> None:
    assert decoded_size(data) is None
    assert jpeg_scans(data) <= 1
