from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emodetect.errors import SourceError, UsageError
from emodetect.sources import camera
from emodetect.sources.frames import open_frames
from emodetect.sources.pictures import Color
from emodetect.sources.video import WHOLE, ClipPart
from emodetect.system.assumptions import ASSUMPTIONS, warn_once
from emodetect.types import Frame, Image
from tests.builders import PHOTO, MovingClip, make_frame, make_image
from tests.cli.mjpeg import serve_mjpeg


def read(source: Any, part: ClipPart = WHOLE, color: Color = "bgr", rate: float | None = None) -> list[Frame]:
    with open_frames(source, part, color=color, frames_per_second=rate) as (frames, _):
        return list(frames)


def places(frames: list[Frame]) -> list[tuple[int, float]]:
    return [(frame.index, frame.timestamp) for frame in frames]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_clip_waits(kind: type, moving_clip: MovingClip) -> None:
    with open_frames(kind(moving_clip.path), ClipPart(end=0.2), color="bgr", frames_per_second=None) as (frames, can_wait):
        assert can_wait
        assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]


def test_pictures_come_at_a_steady_rate() -> None:
    pictures: list[Any] = [make_image(), PHOTO, PHOTO.read_bytes()]
    frames = read(iter(pictures), rate=10)
    assert places(frames) == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert [frame.image.shape for frame in frames] == [(48, 64, 3), (512, 512, 3), (512, 512, 3)]


def test_an_array_of_four_dimensions_is_several_pictures() -> None:
    [frame] = read(make_image(color=(1, 2, 3))[np.newaxis], color="rgb", rate=25)
    assert frame.image[0, 0].tolist() == [3, 2, 1]


def test_a_rate_that_is_assumed_is_said(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, ASSUMPTIONS):
        assert places(read([make_image()] * 2)) == [(0, 0.0), (1, 0.04)]
    assert caplog.text.count("25 frames per second are assumed") == 1


def test_frames_keep_number_and_time() -> None:
    frames = [make_frame(index=3, timestamp=1.5), make_frame(index=9, timestamp=2.5)]
    assert read(frames) == frames


def test_a_part_of_an_iterable() -> None:
    part = ClipPart.of(start=0.1, end=0.65, every=2)
    assert places(read([make_image()] * 10, part, rate=10)) == [(1, 0.1), (3, 0.3), (5, 0.5)]


def test_nothing_is_asked_for_after_the_end() -> None:
    def endless() -> Iterator[Frame]:
        for index in range(5):
            yield make_frame(index=index, timestamp=float(index))
        raise AssertionError("asked for too much")

    assert len(read(endless(), ClipPart.of(end=4))) == 4


def test_an_iterable_without_pictures_has_no_frames() -> None:
    assert read([]) == []


def test_a_part_without_frames_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"has no frame from 9 s; its last one is at 0\.10 s"):
        read([make_image()] * 2, ClipPart.of(start=9), rate=10)


@pytest.mark.parametrize(
    ("picture", "kind", "said"),
    [
        (make_image() / 255, ValueError, "frame 1: expected a uint8"),
        (None, TypeError, "frame 1: expected a file's name"),
        (b"123", SourceError, "frame 1: bytes: not an image"),
    ],
)
def test_an_error_says_which_picture_it_was(picture: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        read([make_image(), picture], rate=25)


@pytest.mark.parametrize("source", [None, True, 1.5, make_image(), make_frame(), b"clip.mp4", PHOTO.open("rb")])
def test_what_gives_no_frames(source: Any) -> None:
    with pytest.raises(TypeError, match="expected a clip, a camera's number or name, an address, or an iterable"):
        read(source)


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        (-1, UsageError, "out of range"),
        (2**40, UsageError, "out of range"),
        (97, SourceError, "camera 97 cannot be opened"),
        (np.int64(97), SourceError, "camera 97 cannot be opened"),
        ("97", SourceError, "camera 97 cannot be opened"),
        ("no such camera", SourceError, "no such file or device, nor the name of a camera"),
        ("missing.mp4", SourceError, "no such file"),
        (Path("missing.mp4"), SourceError, "no such file"),
        ("http://127.0.0.1:9/a", SourceError, "cannot be opened"),
        ("ftp://host.example/a", SourceError, "unknown kind of address"),
    ],
)
def test_sources_that_cannot_be_opened(source: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        read(source)


@pytest.mark.parametrize("source", ["clip.mp4", 0, [make_frame()]])
def test_a_rate_is_for_pictures_without_times(source: Any) -> None:
    with pytest.raises(UsageError, match="the rate is for pictures without any"):
        read(source, rate=25)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), "25", True])
def test_a_rate_is_a_number_above_zero(rate: Any) -> None:
    with pytest.raises(UsageError, match="frames_per_second"):
        read([make_image()], rate=rate)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"start": -1}, "start: -1 is out of range"),
        ({"start": "1"}, "start: expected a number, got '1'"),
        ({"start": float("nan")}, "start: nan is out of range"),
        ({"end": float("nan")}, "end: nan is out of range"),
        ({"start": 3, "end": 3}, "`end`: 3 s is not after `start`, 3 s"),
        ({"every": 0}, "every: 0 is out of range"),
        ({"every": 1.5}, "every: expected a whole number, got 1.5"),
    ],
)
def test_parts_that_make_no_sense(numbers: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ClipPart.of(**numbers)


def test_an_address_gives_its_newest_frames() -> None:
    with (
        serve_mjpeg([make_image(640, 480)]) as address,
        open_frames(address, WHOLE, color="bgr", frames_per_second=None) as (frames, can_wait),
    ):
        taken = [next(frames) for _ in range(3)]
    assert not can_wait
    assert taken[0].index < taken[1].index < taken[2].index
    assert taken[0].timestamp < taken[1].timestamp < taken[2].timestamp
    assert taken[0].image.shape == (480, 640, 3)


class FakeCamera:
    """Gives some pictures, then no more, as one that is pulled out."""

    def __init__(self, count: int) -> None:
        self.left, self.released = count, 0

    def get(self, number: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, Image | None]:
        self.left -= 1
        return (True, make_image()) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released += 1


@pytest.mark.parametrize("source", [0, "0", np.uint8(0)])
def test_a_camera_that_goes_away_is_an_error_after_its_frames(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeCamera(5)
    monkeypatch.setattr(camera, "_open_camera", lambda source, form: made)
    with open_frames(source, WHOLE, color="bgr", frames_per_second=None) as (frames, _):
        assert next(frames).image.shape == (48, 64, 3)
        with pytest.raises(SourceError, match="the camera gives no more pictures"):
            list(frames)
    assert made.released == 1
