from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from emodetect.sources.avif import stored_orientations
from emodetect.sources.images import read_image
from emodetect.types import Image
from tests.sources.test_images import EXIF_ORIENTATION, UPRIGHT, assert_close


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


IROT = {angle: box(b"irot", bytes([angle])) for angle in range(4)}
IMIR = {axis: box(b"imir", bytes([axis])) for axis in range(2)}

TURNED_LEFT = {0: 1, 1: 8, 2: 3, 3: 6}
SWAPPED = {0: 4, 1: 2}


@pytest.fixture
def picture() -> Image:
    rows, columns = np.mgrid[0:40, 0:64]
    return np.stack([4 * columns, 6 * rows, 255 - 2 * columns - 2 * rows], axis=-1).astype(np.uint8)


def avif(image: Image, *transforms: bytes, exif: int | None = None, alpha: bool = False, long: bool = False) -> bytes:
    """An AVIF file with these boxes for its picture, in this order, and an EXIF block with this orientation.

    Pillow writes the orientation as boxes; so they are put in here, and the places of what comes after are corrected.
    """
    buffer = io.BytesIO()
    colors = np.ascontiguousarray(image[..., ::-1])
    if alpha:
        colors = np.dstack(
            [colors, np.where(np.arange(image.shape[1]) < 10, 0, 255)[None].repeat(len(image), 0).astype(np.uint8)]
        )
    options = {}
    if exif is not None:
        block = Pillow.Exif()
        block[0x010F] = "x" * 7  # without another tag, Pillow would leave the block out
        marked = block.tobytes()
        options["exif"] = marked
    Pillow.fromarray(colors).save(buffer, "AVIF", quality=95, subsampling="4:4:4", **options)
    data = buffer.getvalue()
    if exif is not None:
        other = Pillow.Exif()
        other[EXIF_ORIENTATION] = exif
        place = data.index(b"x" * 7)
        start = data.rindex(b"MM\0*", 0, place) if b"MM\0*" in data[:place] else data.rindex(b"II*\0", 0, place)
        replacement = other.tobytes()[6:]
        room = place + 8 - start
        assert len(replacement) <= room
        data = data[:start] + replacement.ljust(room, b"\0") + data[start + room :]
    return with_boxes(data, transforms, long=long)


def with_boxes(data: bytes, transforms: tuple[bytes, ...], *, long: bool = False) -> bytes:
    ipco, ipma, meta, iprp, iloc = (data.index(kind) - 4 for kind in (b"ipco", b"ipma", b"meta", b"iprp", b"iloc"))

    def size(place: int) -> int:
        number: int = struct.unpack_from(">I", data, place)[0]
        return number

    known = data[ipco + 8 : ipco + size(ipco)]
    count, place = 0, 0
    while place < len(known):
        count, place = count + 1, place + struct.unpack_from(">I", known, place)[0]
    old = data[ipma + 8 : ipma + size(ipma)]
    entries, at = [], 8
    for number in range(struct.unpack_from(">I", old, 4)[0]):
        item, amount = struct.unpack_from(">HB", old, at)
        properties = list(old[at + 3 : at + 3 + amount])
        at += 3 + amount
        if number == 0:
            properties += [0x80 | (count + 1 + index) for index in range(len(transforms))]
        if long:
            packed = b"".join(struct.pack(">H", (entry & 0x80) << 8 | entry & 0x7F) for entry in properties)
            entries.append(struct.pack(">IB", item, len(properties)) + packed)
        else:
            entries.append(struct.pack(">HB", item, len(properties)) + bytes(properties))
    head = b"\x01\0\0\x01" if long else old[:4]
    new_iprp = box(b"iprp", box(b"ipco", known + b"".join(transforms)) + box(b"ipma", head + old[4:8] + b"".join(entries)))
    grown = len(new_iprp) - size(iprp)
    result = bytearray(data[:iprp] + new_iprp + data[iprp + size(iprp) :])
    struct.pack_into(">I", result, meta, size(meta) + grown)
    # Version 0 with 4 bytes for place and length, as libavif writes it: a number, an index, then the places.
    assert data[iloc + 8] == 0
    assert data[iloc + 12] == 0x44
    at = iloc + 16
    for _ in range(struct.unpack_from(">H", data, iloc + 14)[0]):
        (extents,) = struct.unpack_from(">H", result, at + 4)
        for index in range(extents):
            where = at + 6 + 8 * index
            struct.pack_into(">I", result, where, struct.unpack_from(">I", result, where)[0] + grown)
        at += 6 + 8 * extents
    return bytes(result)


def expected(picture: Image, *numbers: int) -> Image:
    for number in numbers:
        picture = UPRIGHT[number](picture)
    return picture


def assert_reads(tmp_path: Path, data: bytes, picture: Image) -> None:
    path = tmp_path / "picture.avif"
    path.write_bytes(data)
    assert_close(read_image(path), picture, 4)


@pytest.mark.parametrize("angle", range(4))
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_turned_and_mirrored(tmp_path: Path, picture: Image, angle: int, axis: int | None) -> None:
    boxes = [IROT[angle]] + ([] if axis is None else [IMIR[axis]])
    numbers = [TURNED_LEFT[angle]] + ([] if axis is None else [SWAPPED[axis]])
    assert_reads(tmp_path, avif(picture, *boxes), expected(picture, *numbers))


@pytest.mark.parametrize("axis", range(2))
def test_mirrored_alone_and_before_a_turn(tmp_path: Path, picture: Image, axis: int) -> None:
    assert_reads(tmp_path, avif(picture, IMIR[axis]), expected(picture, SWAPPED[axis]))
    assert_reads(tmp_path, avif(picture, IMIR[axis], IROT[1]), expected(picture, SWAPPED[axis], 8))


def test_long_numbers_of_items_and_properties(tmp_path: Path, picture: Image) -> None:
    assert_reads(tmp_path, avif(picture, IROT[3], long=True), expected(picture, 6))


def test_what_is_transparent_is_turned_with_the_picture(tmp_path: Path, picture: Image) -> None:
    white = picture.copy()
    white[:, :10] = 255
    assert_reads(tmp_path, avif(picture, IROT[3], IMIR[1], alpha=True), expected(white, 6, 2))


@pytest.mark.parametrize("number", UPRIGHT)
def test_exif_does_not_count_and_is_told_where_no_box_does(
    tmp_path: Path, picture: Image, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert_reads(tmp_path, avif(picture, IROT[1], exif=number), expected(picture, 8))
    assert_reads(tmp_path, avif(picture, IROT[0], exif=number), picture)
    assert caplog.messages == []
    assert_reads(tmp_path, avif(picture, exif=number), picture)
    assert ["only its EXIF data" in message for message in caplog.messages] == [True] * (number != 1)


@pytest.mark.parametrize("number", UPRIGHT)
def test_orientations_as_libavif_writes_them(tmp_path: Path, picture: Image, number: int) -> None:
    exif = Pillow.Exif()
    exif[EXIF_ORIENTATION] = number
    Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(tmp_path / "a.avif", exif=exif, quality=95)
    assert_close(read_image(tmp_path / "a.avif"), expected(picture, number), 4)


@pytest.mark.parametrize("wrong", [0x60, 0x7E])
def test_properties_that_the_file_does_not_have(picture: Image, wrong: int) -> None:
    data = bytearray(avif(picture, IROT[1]))
    place = data.index(b"ipma") + 15
    assert data[place] == 1
    data[place] = wrong
    with pytest.raises(ValueError, match="boxes"):
        stored_orientations(bytes(data))


@pytest.mark.parametrize("data", [b"", box(b"ftyp", b"avif"), box(b"meta", bytes(40)), box(b"ftyp", b"avif") + b"\0\0\0\2meta"])
def test_what_has_no_boxes(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        stored_orientations(data)


@pytest.mark.parametrize(("suffix", "order"), [("jpg", "MM"), ("png", "MM"), ("webp", "II"), ("tiff", "II")])
@pytest.mark.parametrize("number", [9, 65535])
def test_an_orientation_that_exif_does_not_have_is_told(
    tmp_path: Path, picture: Image, suffix: str, order: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    exif, path = Pillow.Exif(), tmp_path / f"a.{suffix}"
    exif.endian = "<" if order == "II" else ">"
    exif[EXIF_ORIENTATION] = number
    Pillow.fromarray(picture).save(path, exif=exif)
    assert read_image(path).shape == picture.shape
    assert [f"orientation {number} in its EXIF data is unknown" in message for message in caplog.messages] == [True]
