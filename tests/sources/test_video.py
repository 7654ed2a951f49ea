from __future__ import annotations

import struct
import subprocess
import weakref
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from emodetect.errors import SourceError
from emodetect.sources.video import ClipPart, VideoFile
from emodetect.types import Frame
from tests.builders import PHOTO, MovingClip, make_background, make_image, shared_data, write_clip


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def gray_clip(path: Path, count: int, frames_per_second: float = 25.0, size: tuple[int, int] = (64, 48)) -> Path:
    """Each frame is brighter than the one before by the same step, so that its number can be read off it."""
    levels = [16 + 220 * i // max(1, count) for i in range(count)]
    return write_clip(path, [make_image(*size, color=(level, level, level)) for level in levels], frames_per_second)


def variable_rate_clip(path: Path, folder: Path, durations: Sequence[float]) -> Path:
    """A frame for each duration, in seconds, which it stands."""
    lines = []
    for index, duration in enumerate(durations):
        assert cv2.imwrite(str(folder / f"{index}.png"), make_image(color=(30 * index, 30 * index, 30 * index)))
        lines.append(f"file {index}.png\nduration {duration}\n")
    (folder / "list.txt").write_text("".join(lines))
    ffmpeg("-f", "concat", "-i", folder / "list.txt", "-fps_mode", "vfr", "-c:v", "libx264", "-enc_time_base", "1/1000", path)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_every_frame_comes_once_and_in_order(tmp_path: Path, count: int, suffix: str) -> None:
    with VideoFile(gray_clip(tmp_path / f"clip{suffix}", count)) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(count))
    levels = [float(frame.image.mean()) for frame in frames]
    expected = [16 + 220 * i // max(1, count) for i in range(count)]
    np.testing.assert_allclose(levels, expected, atol=2)


def test_what_it_says_of_a_clip(moving_clip: MovingClip) -> None:
    with VideoFile(moving_clip.path) as video:
        assert video.path == moving_clip.path
        assert video.size == (640, 360)
        assert video.frames_per_second == pytest.approx(25)
        assert video.frame_count == 75


def test_pictures_are_bgr_and_as_high_and_wide_as_said(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "blue.mp4", [make_image(96, 64, color=(220, 60, 20))] * 3)
    with VideoFile(path) as video:
        [first, *_] = list(video)
    assert first.image.shape == (64, 96, 3)
    blue, green, red = first.image.reshape(-1, 3).mean(axis=0)
    assert blue > 200
    assert green < 90
    assert red < 50


@pytest.mark.parametrize("frames_per_second", [10.0, 25.0, 30_000 / 1001, 60.0])
def test_timestamps_are_media_time(tmp_path: Path, frames_per_second: float) -> None:
    with VideoFile(gray_clip(tmp_path / "clip.mp4", 20, frames_per_second)) as video:
        assert video.frames_per_second == pytest.approx(frames_per_second, rel=1e-3)
        timestamps = [frame.timestamp for frame in video]
    np.testing.assert_allclose(timestamps, np.arange(20) / frames_per_second, atol=2e-3)


def test_timestamps_do_not_depend_on_who_reads(moving_clip: MovingClip) -> None:
    with VideoFile(moving_clip.path) as first, VideoFile(moving_clip.path) as second:
        assert [frame.timestamp for frame in first] == [frame.timestamp for frame in second]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_keeps_its_own_time(tmp_path: Path, suffix: str) -> None:
    path = variable_rate_clip(tmp_path / f"vfr{suffix}", tmp_path, [0.04, 0.4, 0.1, 0.2, 0.04])
    with VideoFile(path) as video:
        timestamps = [frame.timestamp for frame in video]
    np.testing.assert_allclose(timestamps[:4], [0, 0.04, 0.44, 0.54], atol=0.025)
    assert all(later > earlier for earlier, later in pairwise(timestamps))


@pytest.mark.parametrize("name", ["late.mp4", "raw.h264", "transport.ts", "motion.avi"])
def test_timestamps_start_at_zero_and_never_go_back_in_odd_containers(tmp_path: Path, name: str) -> None:
    source, path = gray_clip(tmp_path / "clip.mp4", 30), tmp_path / name
    options = ["-c:v", "mjpeg"] if name.endswith(".avi") else ["-c:v", "copy"]
    if name.startswith("late"):
        options += ["-output_ts_offset", "5"]
    ffmpeg("-i", source, *options, path)
    with VideoFile(path) as video:
        timestamps = [frame.timestamp for frame in video]
    assert len(timestamps) == 30
    assert timestamps[0] == 0
    assert all(later > earlier for earlier, later in pairwise(timestamps))
    assert timestamps[-1] == pytest.approx(29 / 25, abs=0.05)


LATE = [("late.mp4", 1.0), ("late.mkv", 1.0), ("late.ts", 1.02)]
"""Containers, and when the first picture is shown: a transport stream keeps the silence that AAC starts with."""


def with_sound(clip: Path, path: Path, pictures_late: float = 0.0, seconds: float = 3.0) -> Path:
    """The clip with a tone, which starts before the pictures."""
    ffmpeg("-itsoffset", str(pictures_late), "-i", clip, "-f", "lavfi", "-i", f"sine=duration={seconds}",
           "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", path)  # fmt: skip
    return path


@pytest.mark.parametrize(("name", "first"), LATE)
def test_times_count_from_where_the_sound_starts_if_the_pictures_start_later(tmp_path: Path, name: str, first: float) -> None:
    path = with_sound(gray_clip(tmp_path / "clip.mp4", 30), tmp_path / name, 1)
    with VideoFile(path) as video:
        frames = list(video)
    np.testing.assert_allclose([frame.timestamp for frame in frames], first + np.arange(30) / 25, atol=4e-3)
    with VideoFile(path, ClipPart(start=1.39, end=1.79)) as video:
        assert [frame.index for frame in video] == list(range(10, 20)) if first == 1 else list(range(9, 19))
    with VideoFile(path, ClipPart(end=0.5)) as video, pytest.raises(SourceError, match=r"it begins at 1\.0"):
        list(video)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts", ".flv"])
def test_the_delay_of_an_encoder_is_no_later_start(tmp_path: Path, suffix: str) -> None:
    with VideoFile(with_sound(gray_clip(tmp_path / "clip.mp4", 30), tmp_path / f"sound{suffix}")) as video:
        timestamps = [frame.timestamp for frame in video]
    np.testing.assert_allclose(timestamps, np.arange(30) / 25, atol=4e-3)


def test_a_stream_that_is_cut_anywhere_starts_with_the_first_picture_that_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    pictures = [make_background((160, 120), seed=index % 7) for index in range(60)]
    ffmpeg("-i", write_clip(tmp_path / "clip.mp4", pictures), "-g", "20", "-bf", "0", path)
    path.write_bytes(path.read_bytes()[188 * 40 :])
    with VideoFile(path) as video:
        timestamps = [frame.timestamp for frame in video]
    assert timestamps[0] > 0.1
    np.testing.assert_allclose(np.diff(timestamps), 1 / 25, atol=4e-3)


@pytest.mark.parametrize(
    ("shape", "size"), [("4/3", (85, 48)), ("1/2", (64, 96)), ("1/1", (64, 48)), ("1280/1281", (64, 48)), ("0", (64, 48))]
)
def test_pixels_that_are_not_square_are_stretched(tmp_path: Path, shape: str, size: tuple[int, int]) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-i", gray_clip(tmp_path / "square.mp4", 3), "-vf", f"setsar={shape}", path)
    with VideoFile(path) as video:
        assert video.size == size
        assert [frame.image.shape[1::-1] for frame in video] == [size] * 3
    ffmpeg("-display_rotation", "90", "-i", path, "-c", "copy", tmp_path / "turned.mp4")
    with VideoFile(tmp_path / "turned.mp4") as video:
        assert video.size == size[::-1]
        assert next(iter(video)).image.shape[:2] == size


def test_pixels_of_a_shape_that_makes_pictures_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-i", gray_clip(tmp_path / "square.mp4", 3), "-vf", "setsar=20", path)
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "60000")
    with pytest.raises(SourceError, match="pictures of 1280 x 48 are more than 60000 pixels"):
        VideoFile(path)


def test_a_clip_from_a_turned_telephone_is_upright(tmp_path: Path) -> None:
    source = gray_clip(tmp_path / "clip.mp4", 3)
    ffmpeg("-display_rotation", "90", "-i", source, "-c", "copy", tmp_path / "turned.mp4")
    with VideoFile(tmp_path / "turned.mp4") as video:
        assert video.size == (48, 64)
        assert next(iter(video)).image.shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such file", id="missing"),
        pytest.param(b"", "not a video", id="empty"),
        pytest.param(b"hello\n" * 100, "not a video", id="text"),
        pytest.param(bytes(10_000), "not a video", id="zeros"),
    ],
)
def test_what_is_no_video_is_an_error_that_names_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        VideoFile(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        VideoFile(tmp_path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.3", "-c:a", "aac", path)
    with pytest.raises(SourceError, match="without frames"):
        VideoFile(path)


def test_a_video_without_frames_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=size=64x48:rate=25:duration=1", "-frames:v", "0", "-c:v", "libx264", path)
    assert path.stat().st_size > 0
    with pytest.raises(SourceError, match="without frames"):
        VideoFile(path)


def test_an_mp4_that_is_cut_short_is_an_error(tmp_path: Path, moving_clip: MovingClip) -> None:
    # Without +faststart the index stands at the end, so that half a file has none.
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", moving_clip.path, "-c", "copy", whole)
    path = tmp_path / "half.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(SourceError, match="not a video"):
        VideoFile(path)


def test_a_photo_is_a_video_of_one_frame() -> None:
    with VideoFile(PHOTO) as video:
        assert [(frame.index, frame.timestamp) for frame in video] == [(0, 0.0)]


def test_closing_twice_and_early_is_no_error(moving_clip: MovingClip) -> None:
    with VideoFile(moving_clip.path) as video:
        next(iter(video))
        video.close()
    video.close()


def test_the_development_clip_has_its_115_frames() -> None:
    with VideoFile(shared_data("media/clip-596x336.mp4")) as video:
        assert video.size == (596, 336)
        timestamps = [frame.timestamp for frame in video]
    assert len(timestamps) == 115
    np.testing.assert_allclose(timestamps, np.arange(115) / 25, atol=2e-3)


PARTS = [
    pytest.param(ClipPart(start=0.3), slice(8, None), id="start"),
    pytest.param(ClipPart(end=0.4), slice(None, 10), id="end"),
    pytest.param(ClipPart(start=0.4, end=0.8), slice(10, 20), id="both"),
    pytest.param(ClipPart(start=0.4, every=4), slice(10, None, 4), id="every"),
]


@pytest.mark.parametrize(("part", "expected"), PARTS)
def test_a_part_is_to_the_frame_what_it_is_in_the_whole(tmp_path: Path, part: ClipPart, expected: slice) -> None:
    path = gray_clip(tmp_path / "clip.mp4", 30)
    with VideoFile(path) as video:
        whole = [(frame.index, frame.timestamp, frame.image.mean()) for frame in video]
    with VideoFile(path, part) as video:
        assert video.expected_count == len(whole[expected])
        assert [(frame.index, frame.timestamp, frame.image.mean()) for frame in video] == whole[expected]


def test_a_part_of_a_variable_rate_is_in_media_time(tmp_path: Path) -> None:
    path = variable_rate_clip(tmp_path / "vfr.mp4", tmp_path, [0.04, 0.4, 0.1, 0.2, 0.04])
    with VideoFile(path, ClipPart(start=0.3, end=0.5)) as video:
        assert [frame.index for frame in video] == [2]


@pytest.mark.parametrize("part", [ClipPart(start=5), ClipPart(start=0.41, end=0.43)])
def test_a_part_without_frames_is_an_error_that_names_it(tmp_path: Path, part: ClipPart) -> None:
    path = gray_clip(tmp_path / "clip.mp4", 30)
    with VideoFile(path, part) as video, pytest.raises(SourceError, match=f"has no frame from {part.start:g} s"):
        list(video)


@pytest.fixture(scope="module")
def noisy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """75 frames that need their bytes."""
    pictures = [make_background((160, 120), seed=index % 7) for index in range(75)]
    return write_clip(tmp_path_factory.mktemp("noisy") / "clip.mp4", pictures)


@pytest.mark.parametrize("damage", ["hole", "cut"])
def test_damage_is_told(noisy_clip: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    data, path = bytearray(noisy_clip.read_bytes()), tmp_path / "clip.mp4"
    middle = len(data) // 2
    if damage == "hole":
        data[middle : middle + 8000] = bytes(8000)
    path.write_bytes(data if damage == "hole" else data[:middle])
    with VideoFile(path) as video:
        count = len(list(video))
    assert 25 < count < 75
    assert caplog.messages == [f"{path}: is damaged; {count} of the 75 frames that it announces were read"]


def test_sound_that_is_longer_is_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Matroska announces the whole length's frames, and the rate that follows from it fits none of the times.
    source = shared_data("media/clip-596x336.mp4")
    with VideoFile(with_sound(source, tmp_path / "clip.mkv", seconds=9)) as video:
        count = len(list(video))
        assert video.frame_count > count == 115
    assert caplog.messages == []


@pytest.mark.parametrize("announced", [3, 30, 1000])
def test_a_header_that_lies_about_the_number_of_frames(tmp_path: Path, announced: int, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "clip.avi"
    ffmpeg("-i", gray_clip(tmp_path / "clip.mp4", 30), "-c:v", "mjpeg", path)
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 40
    assert struct.unpack_from("<I", data, place) == (30,)
    struct.pack_into("<I", data, place, announced)
    path.write_bytes(data)
    with VideoFile(path) as video:
        assert len(list(video)) == 30
    assert caplog.messages == []


def test_ten_bits_a_channel(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-i", gray_clip(tmp_path / "eight.mp4", 5), "-pix_fmt", "yuv420p10le", "-c:v", "libx264", path)
    with VideoFile(path) as video:
        levels = [float(frame.image.mean()) for frame in video]
    np.testing.assert_allclose(levels, [16 + 220 * index // 5 for index in range(5)], atol=3)


def test_4k(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=3840x2160:rate=25", "-frames:v", "2", "-preset", "ultrafast", path)
    with VideoFile(path) as video:
        assert video.size == (3840, 2160)
        assert [frame.image.shape for frame in video] == [(2160, 3840, 3)] * 2


def test_a_hundred_thousand_frames_are_never_in_memory_together(tmp_path: Path) -> None:
    path = tmp_path / "clip.y4m"
    path.write_bytes(b"YUV4MPEG2 W16 H16 F1000:1 Ip A1:1 C420jpeg\n" + 100_000 * (b"FRAME\n" + 384 * b"\x80"))
    samples: list[weakref.ref[Frame]] = []
    count = most = 0
    with VideoFile(path) as video:
        for frame in video:
            if frame.index % 500 < 2:
                samples.append(weakref.ref(frame))
                most = max(most, sum(sample() is not None for sample in samples))
            count += 1
    assert count == 100_000
    assert most <= 2
