from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from emodetect.errors import SourceError
from emodetect.media.media_file import MediaFile
from emodetect.sources.images import read_image
from emodetect.sources.several_pictures import is_thumbnail, several_pictures
from emodetect.sources.video import VideoFile
from emodetect.system.assumptions import warn_once
from tests.builders import PHOTO

SUFFIXES = (".gif", ".png", ".webp", ".avif", ".tiff", ".jpg")


def saved(path: Path, count: int) -> Path:
    colors = (Pillow.new("RGB", (40, 30), color) for color in ("red", "green", "blue"))
    first, *others = list(colors)[:count]
    options = {"duration": 100} if path.suffix in (".gif", ".png", ".webp", ".avif") and count > 1 else {}
    form = "MPO" if path.suffix == ".jpg" else None
    first.save(path, form, save_all=count > 1 or form == "MPO", append_images=others, **options)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_picture(tmp_path: Path, suffix: str) -> None:
    assert several_pictures(saved(tmp_path / f"a{suffix}", 1).read_bytes()) is None


@pytest.mark.parametrize(
    ("suffix", "kind", "cure"),
    [
        (".gif", "frames", "; 'emodetect video' analyzes all"),
        (".png", "frames", "; 'emodetect video' analyzes all"),
        (".webp", "frames", ""),
        (".avif", "frames", ""),
        (".tiff", "pages", ""),
    ],
)
def test_further_pictures_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, kind: str, cure: str) -> None:
    path = saved(tmp_path / f"a{suffix}", 3)
    assert several_pictures(path.read_bytes()) == kind
    red = read_image(path)[0, 0]
    assert red[2] > 200 > 60 > red[1]
    assert caplog.messages == [f"{path}: has several {kind}; only the first one is analyzed{cure}"]


@pytest.mark.parametrize("count", [1, 3])
def test_pages_are_also_named_where_a_clip_is_expected(tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int) -> None:
    path = saved(tmp_path / "a.tiff", count)
    with VideoFile(path) as clip:
        assert len([*clip.frames()]) == 1
    assert ("has several pages; only the first one is analyzed" in caplog.text) is (count > 1)


def test_pages_are_counted_in_the_file_that_was_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "a.tiff", 3)
    with MediaFile(path) as media:
        path.unlink()
        with VideoFile(media) as clip:
            assert len([*clip.frames()]) == 1
    assert caplog.messages == [f"{path}: has several pages; only the first one is analyzed"]


def test_the_second_picture_of_a_camera_does_not_count(tmp_path: Path) -> None:
    assert several_pictures(saved(tmp_path / "a.jpg", 3).read_bytes()) is None


def tiff(*kinds: int) -> bytes:
    """A TIFF of pictures with these purposes."""
    buffer = io.BytesIO()
    pictures = [Pillow.new("RGB", (40, 30)) for _ in kinds]
    for picture, kind in zip(pictures, kinds, strict=True):
        tags = ImageFileDirectory_v2()
        tags[254] = kind
        picture.encoderinfo = {"tiffinfo": tags}
    pictures[0].save(buffer, "TIFF", save_all=True, append_images=pictures[1:], tiffinfo=pictures[0].encoderinfo["tiffinfo"])
    return buffer.getvalue()


def test_thumbnails_and_masks_are_no_pages() -> None:
    assert several_pictures(tiff(0, 1)) is None
    assert several_pictures(tiff(0, 4)) is None
    assert several_pictures(tiff(0, 1, 0)) == "pages"


def test_a_directory_that_leads_back_to_itself_ends() -> None:
    data = struct.pack("<4sLHHHLLL", b"II*\0", 8, 1, 256, 4, 1, 40, 8)
    assert several_pictures(data) is None


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".avif", ".tiff"])
def test_truncated_and_damaged_files_raise_nothing(tmp_path: Path, suffix: str) -> None:
    data = saved(tmp_path / f"a{suffix}", 3).read_bytes()
    random = np.random.default_rng(1)
    for length in range(len(data)):
        several_pictures(data[:length])
        is_thumbnail(data[:length])
    for _ in range(500):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[random.integers(0, len(data), 10)] = random.integers(0, 256, 10)
        several_pictures(damaged.tobytes())
        is_thumbnail(damaged.tobytes())


def test_the_search_is_bounded(tmp_path: Path) -> None:
    gif = saved(tmp_path / "a.gif", 1).read_bytes()
    start = gif[: gif.index(b",")]
    for data in (
        start + b"\x21\xfe" + 20_000_000 * b"\x01a",
        b"\x89PNG\r\n\x1a\n" + 2_000_000 * struct.pack(">L4sL", 0, b"abcd", 0),
    ):
        began = time.perf_counter()
        assert several_pictures(data) is None
        assert time.perf_counter() - began < 2


def test_a_raw_picture_is_not_read_as_its_thumbnail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = tmp_path / "a.dng"
    raw.write_bytes(tiff(1))
    with pytest.raises(SourceError, match=r"a camera's raw picture \(\.dng\) cannot be read"):
        read_image(raw)
    renamed = raw.rename(tmp_path / "a.tif")
    assert is_thumbnail(renamed.read_bytes())
    read_image(renamed)
    assert caplog.messages == [f"{renamed}: its first picture, which alone is analyzed, is a thumbnail; export the photo as JPEG"]


def test_other_files_are_read_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    read_image(PHOTO)
    assert not caplog.messages
