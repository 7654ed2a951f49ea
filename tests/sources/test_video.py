from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from emodetect.errors import SourceError
from emodetect.media.media_file import MediaFile
from emodetect.media.playlists import allow_playlists
from emodetect.media.probe import ClipProbe
from emodetect.report.pictures import CopyError, frames_at, picture_size, playable_copy
from emodetect.sources.video import ClipPart, SkippedFrames, VideoFile, _Clock
from emodetect.types import Frame, Image
from tests.builders import PHOTO, MovingClip, make_background, make_image, shared_data, write_clip
from tests.media.test_orientation import MATRICES, shown, turned


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


def test_pictures_before_time_zero_begin_with_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole, cut = with_sound(gray_clip(tmp_path / "clip.mp4", 60), tmp_path / "whole.mp4"), tmp_path / "cut.mkv"
    ffmpeg("-ss", "0.5", "-i", whole, "-c", "copy", "-avoid_negative_ts", "disabled", cut)
    with VideoFile(cut) as video:
        timestamps = [frame.timestamp for frame in video]
    np.testing.assert_allclose(timestamps, np.arange(60) / 25, atol=0.04)
    assert "begins before time 0" in caplog.text


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
    ffmpeg("-i", gray_clip(tmp_path / "square.mp4", 3), "-vf", "setsar=8", path)
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "20000")
    with pytest.raises(SourceError, match="pictures of 512 x 48 are more than 20000 pixels"):
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


def test_a_cut_that_leaves_pictures_out_is_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "clip.mov"
    pictures = write_clip(tmp_path / "pictures.mp4", [make_background((160, 120), seed=index % 7) for index in range(75)])
    ffmpeg("-i", pictures, "-c:v", "libx264", "-x264-params", "keyint=25:bframes=4:open-gop=1", whole)
    ffmpeg("-ss", "1.3", "-i", whole, "-c", "copy", path)
    with VideoFile(path) as video:
        count = len(list(video))
        assert video.frame_count > count >= 42
    assert caplog.messages == []


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


@pytest.mark.parametrize(("transfer", "is_hdr"), [("smpte2084", True), ("arib-std-b67", True), ("bt709", False)])
def test_an_hdr_clip_is_told(tmp_path: Path, transfer: str, is_hdr: bool, caplog: pytest.LogCaptureFixture) -> None:
    path, colors = tmp_path / "clip.mp4", f"colorprim=bt2020:colormatrix=bt2020nc:transfer={transfer}"
    ffmpeg("-i", gray_clip(tmp_path / "eight.mp4", 5), "-pix_fmt", "yuv420p10le", "-c:v", "libx264", "-x264-params", colors, path)
    with VideoFile(path) as video:
        assert len(list(video)) == 5
    assert [message.split(",")[0] for message in caplog.messages] == [f"{path}: is an HDR clip"] * is_hdr


def test_a_theora_clip_that_repeats_pictures_is_read_to_its_end() -> None:
    with VideoFile(Path(__file__).parent.parent / "data" / "repeating.ogv") as video:
        assert len(list(video)) == 24


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_an_hdr_clip_has_the_same_colors_in_a_file_and_a_pipe(tmp_path: Path, transfer: str) -> None:
    path, colors = tmp_path / "clip.ts", f"colorprim=bt2020:colormatrix=bt2020nc:transfer={transfer}"
    ffmpeg(
        "-loop", "1", "-i", PHOTO, "-frames:v", "3", "-pix_fmt", "yuv420p10le", "-c:v", "libx264", "-x264-params", colors, path
    )  # fmt: skip
    with VideoFile(path) as video:
        from_file = [frame.image for frame in video]
    with piped(path, tmp_path / "pipe") as video:
        from_pipe = [frame.image for frame in video]
    assert len(from_file) == len(from_pipe) == 3
    assert np.array_equal(from_file, from_pipe)


@pytest.mark.parametrize("pixels", ["rgb555be", "bgr565be", "rgb565le"])
def test_colors_in_sixteen_bits(tmp_path: Path, pixels: str) -> None:
    path = tmp_path / "clip.nut"
    ffmpeg("-i", gray_clip(tmp_path / "eight.mp4", 5), "-c:v", "rawvideo", "-pix_fmt", pixels, "-strict", "-2", path)
    with VideoFile(path) as video:
        levels = [float(frame.image.mean()) for frame in video]
    np.testing.assert_allclose(levels, [16 + 220 * index // 5 for index in range(5)], atol=6)


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


def test_the_frames_of_a_long_clip_are_never_in_memory_together(tmp_path: Path) -> None:
    path = tmp_path / "clip.y4m"
    path.write_bytes(b"YUV4MPEG2 W16 H16 F1000:1 Ip A1:1 C420jpeg\n" + 10_000 * (b"FRAME\n" + 384 * b"\x80"))
    samples: list[weakref.ref[Frame]] = []
    count = most = 0
    with VideoFile(path) as video:
        for frame in video:
            if frame.index % 500 < 2:
                samples.append(weakref.ref(frame))
                most = max(most, sum(sample() is not None for sample in samples))
            count += 1
    assert count == 10_000
    assert most <= 2


NAMES = [
    "2024-05-01T10:30:00.mp4", "100%03d.mp4", "%d%s.mp4", "-dash.mp4", "-", "file:a.mp4", "concat:a.mp4|b.mp4", "pipe:0",
    "tcp:127.0.0.1:9", "data:x,", "subfile,,start,0,end,0,,:x", "cache:x", "line\nbreak.mp4", "'quotes\" ü 字.mp4", "a|b;c",
    "back\\slash*?[a].mp4", os.fsdecode(b"caf\xe9.mp4"), "no ending", "sound.wav", "list.m3u8", "text.txt", "x" * 250,
]  # fmt: skip
"""Names that FFmpeg, or OpenCV, would take for something else than a file's, or could not open."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not have files of all these names")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_file_is_a_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moving_clip: MovingClip, name: str, as_folder: bool
) -> None:
    path = Path(name, "a:b.mp4") if as_folder else Path(name)
    monkeypatch.chdir(tmp_path)
    path.parent.mkdir(exist_ok=True)
    path.hardlink_to(moving_clip.path)
    with VideoFile(path, ClipPart(end=0.2)) as video:
        assert video.size == (640, 360)
        assert len(list(video)) == 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have shorter paths")
def test_a_very_long_path(tmp_path: Path, moving_clip: MovingClip) -> None:
    path = tmp_path / "/".join(["x" * 250] * 14) / "a.mp4"
    path.parent.mkdir(parents=True)
    path.hardlink_to(moving_clip.path)
    with VideoFile(path, ClipPart(end=0.1)) as video:
        assert len(list(video)) == 3
    with pytest.raises(SourceError, match="File name too long"):
        VideoFile(tmp_path / ("x" * 300))


def test_the_variable_of_opencv_is_as_it_was(moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "threads;1"):
        monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", raising=False)
        if before:
            monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", before)
        VideoFile(moving_clip.path).close()
        assert os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS") == before


@pytest.fixture
def playlists() -> Iterator[None]:
    allow_playlists(True)
    yield
    allow_playlists(False)


PLAYLISTS = {
    "holiday.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{folder}/private.ts\n#EXT-X-ENDLIST\n",
    "inner.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nprivate.ts\n#EXT-X-ENDLIST\n",
    "holiday.mp4": "ffconcat version 1.0\nfile private.ts\n",
    "list.ffconcat": "ffconcat version 1.0\nfile private.ts\n",
}

OTHERS = {
    **PLAYLISTS,
    "m3u8.mp4": PLAYLISTS["holiday.m3u8"],
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>private.ts</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "a.pls": "[playlist]\nFile1=private.ts\n",
    "a.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><image href="private.png" width="9"/></svg>',
    "a.idx": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n",
    "a.ffmeta": ";FFMETADATA1\ntitle=x\n",
    "a.txt": "only text\n" * 50,
}


def private_clip(folder: Path) -> None:
    ffmpeg("-i", gray_clip(folder / "private.mp4", 30), "-c", "copy", folder / "private.ts")


@pytest.mark.parametrize("name", OTHERS)
def test_what_leads_to_other_files_is_refused(tmp_path: Path, name: str) -> None:
    private_clip(tmp_path)
    path = tmp_path / name
    path.write_text(OTHERS[name].format(folder=tmp_path))
    with pytest.raises(SourceError, match="not a video") as caught:
        VideoFile(path)
    assert "`allow_playlists`" in str(caught.value) or name not in PLAYLISTS
    for file_name in ("1.png", "2.png"):
        assert cv2.imwrite(str(tmp_path / file_name), make_image())
    with pytest.raises(SourceError, match="no such file"):
        VideoFile(tmp_path / "%d.png")


@pytest.mark.usefixtures("playlists")
@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_that_are_asked_for(tmp_path: Path, name: str) -> None:
    private_clip(tmp_path)
    path = tmp_path / name
    path.write_text(OTHERS[name].format(folder=tmp_path))
    with VideoFile(path) as video:
        assert len(list(video)) == 30


@pytest.mark.usefixtures("playlists")
def test_playlists_lead_to_no_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        path = tmp_path / "a.m3u8"
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(SourceError, match="not a video"):
            VideoFile(path)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_reference_movie_reads_no_other_file(tmp_path: Path) -> None:
    """A QuickTime file whose pictures are in another one, by its data reference."""
    whole = tmp_path / "whole.mov"
    ffmpeg("-i", gray_clip(tmp_path / "clip.mp4", 5), "-c", "copy", whole)
    data = whole.read_bytes()
    moov = data.rindex(b"moov") - 4
    head, url = data[moov:], b"\0\0\0\x0curl \0\0\0\x01"
    assert url in head
    # An alias record with the name of the file, as QuickTime writes it.
    alias = (
        b"\0\0\0\0" + b"\0\0\0\x96\0\x02\0\0" + b"\x08untitled".ljust(28, b"\0") + bytes(12) + b"\x09whole.mov".ljust(64, b"\0")
    )
    alias += (
        bytes(16) + struct.pack(">HHHH", 0, 0, 0, 0) + struct.pack(">HH", 2, 9) + b"whole.mov\0" + struct.pack(">HH", 0xFFFF, 0)
    )
    entry = struct.pack(">I", 8 + len(alias)) + b"alis" + alias
    grown, place = bytearray(head.replace(url, entry)), 0
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = grown.index(kind, place)
        size = struct.unpack_from(">I", grown, place - 4)[0] + len(entry) - len(url)
        struct.pack_into(">I", grown, place - 4, size)
    path = tmp_path / "reference.mov"
    path.write_bytes(data[: data.index(b"ftyp") + 16].ljust(struct.unpack_from(">I", data)[0], b"\0") + grown)
    with pytest.raises(SourceError, match="not a video"):
        VideoFile(path)


def corners() -> Image:
    """A picture in which no two corners are alike."""
    picture = make_image(96, 64)
    for place, color in enumerate([(220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 220)]):
        top, left = 32 * (place // 2), 48 * (place % 2)
        picture[top : top + 32, left : left + 48] = color
    return picture


def with_matrix(source: Path, path: Path, matrix: Sequence[int]) -> Path:
    """The clip with another display matrix, in the header of its track; in another container by FFmpeg."""
    data = bytearray(source.read_bytes())
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, *matrix)
    turned = path.with_suffix(".turned.mp4")
    turned.write_bytes(data)
    ffmpeg("-i", turned, "-c", "copy", path)
    return path


def near(picture: Image, expected: Image) -> bool:
    return picture.shape == expected.shape and bool(np.abs(picture.astype(int) - expected).mean() < 6)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_all_eight_display_matrices(tmp_path: Path, matrix: list[int], suffix: str) -> None:
    picture = corners()
    path = with_matrix(write_clip(tmp_path / "clip.mp4", [picture] * 3), tmp_path / f"a{suffix}", matrix)
    expected = shown(picture, matrix)
    with VideoFile(path) as video:
        assert video.size == expected.shape[1::-1]
        assert all(near(frame.image, expected) for frame in video)
    # What FFmpeg makes of it, which plays clips as they are meant.
    ffmpeg("-i", path, "-frames:v", "1", tmp_path / "a.png")
    assert near(np.asarray(cv2.imread(str(tmp_path / "a.png")), np.uint8), expected)
    # What is written of it lies upright in its file.
    if suffix == ".mp4":
        with VideoFile(path) as video:
            written = write_clip(tmp_path / "out.mp4", [frame.image for frame in video])
        with MediaFile(written) as file, ClipProbe(file) as probe:
            assert probe.facts().matrix == (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
        copy = tmp_path / "copy.mp4"
        copy.write_bytes(playable_copy(path, 0, 1, 10**6))
        with VideoFile(copy) as video, MediaFile(copy) as file, ClipProbe(file) as probe:
            assert near(next(iter(video)).image, expected)
            assert probe.facts().matrix == (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)


def test_other_angles_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture = corners()
    path = with_matrix(write_clip(tmp_path / "clip.mp4", [picture] * 3), tmp_path / "a.mp4", turned(100))
    with VideoFile(path) as video:
        assert near(next(iter(video)).image, np.rot90(picture, -1))
    assert caplog.messages == [f"{path}: is to be turned by 10 degrees beside quarter turns; those degrees are left out"]
    with pytest.raises(CopyError, match="in another way"):
        playable_copy(path, 0, 1, 10**6)


@pytest.mark.parametrize(("options", "quarters"), [("rotate=90", 1), ("rotate=180", 2)])
def test_a_turn_that_only_the_coded_pictures_tell(tmp_path: Path, options: str, quarters: int) -> None:
    picture, path = corners(), tmp_path / "a.mp4"
    ffmpeg("-i", write_clip(tmp_path / "clip.mp4", [picture] * 3), "-c", "copy",
           "-bsf:v", f"h264_metadata=display_orientation=insert:{options}", path)  # fmt: skip
    with VideoFile(path) as video:
        assert near(next(iter(video)).image, np.rot90(picture, quarters))


@contextmanager
def piped(source: Path, path: Path) -> Iterator[VideoFile]:
    """A clip from a named pipe."""
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError):
            path.write_bytes(source.read_bytes())

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with VideoFile(path) as video:
        yield video
    writer.join(timeout=30)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
@pytest.mark.parametrize("matrix", MATRICES)
def test_a_clip_from_a_pipe_is_upright(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    picture = corners()
    source = with_matrix(write_clip(tmp_path / "clip.mp4", [picture] * 3), tmp_path / "a.mkv", matrix)
    with VideoFile(source) as video, piped(source, tmp_path / "pipe") as same:
        expected, found = (next(iter(clip)).image for clip in (video, same))
    assert near(found, expected)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
@pytest.mark.parametrize("suffix", ["ts", "h264"])
def test_pictures_of_another_size_from_a_pipe_keep_their_shape(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    joined = tmp_path / "joined"
    with joined.open("wb") as file:
        for size in ("128x96", "96x128"):
            part = tmp_path / f"{size}.{suffix}"
            ffmpeg("-f", "lavfi", "-i", f"color=white:s={size}:r=25", "-t", "0.4", "-c:v", "libx264", part)
            file.write(part.read_bytes())
    with piped(joined, tmp_path / "pipe") as video:
        frames = list(video)
    assert (len(frames), video.size) == (20, (128, 96))
    assert all(frame.image.shape == (96, 128, 3) for frame in frames)
    assert frames[9].image[48, :, 1].min() > 128
    assert np.flatnonzero(frames[10].image[48, :, 1] > 128)[[0, -1]] == pytest.approx([28, 99], abs=1)
    assert "its pictures change from 128x96 to 96x128; they are fitted into the first size, with black bars" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_a_clip_from_a_pipe_whose_index_is_at_its_end_is_told(tmp_path: Path) -> None:
    clip = tmp_path / "late.mov"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=320x240:r=10", "-t", "1", "-c:v", "rawvideo", "-pix_fmt", "yuyv422", clip)
    with pytest.raises(SourceError, match="save an MP4 or MOV whose index is at its end as a file"), piped(clip, tmp_path / "p"):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
@pytest.mark.parametrize(("rate", "is_told"), [("30000/1001", False), ("25", True)])
def test_bare_pictures_from_a_pipe_have_the_rate_of_their_headers(
    tmp_path: Path, rate: str, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ffmpeg("-r", rate, "-i", gray_clip(tmp_path / "clip.mp4", 10), "-c:v", "libx264", tmp_path / "a.h264")
    with piped(tmp_path / "a.h264", tmp_path / "pipe") as video:
        timestamps = [frame.timestamp for frame in video]
    np.testing.assert_allclose(timestamps, np.arange(10) / float(Fraction(rate)), atol=1e-4)
    assert ("does not say its rate" in caplog.text) == is_told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
@pytest.mark.parametrize("name", ["pipe", os.fsdecode(b"pipe\xe9:1")])
def test_a_named_pipe_is_read_once(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    picture = corners()
    source = with_matrix(write_clip(tmp_path / "clip.mp4", [picture] * 3), tmp_path / "a.mkv", MATRICES[0])
    path = tmp_path / name
    with piped(source, path) as video:
        assert len(list(video)) == 3
    assert [str(path) in message and "is a pipe" in message for message in caplog.messages] == [True]


ENCODERS = [
    ("a.h264", ["-c:v", "libx264"]), ("a.hevc", ["-c:v", "libx265", "-x265-params", "log-level=none"]),
    ("a.m2v", ["-c:v", "mpeg2video"]), ("a.bin", ["-c:v", "mpeg4", "-f", "m4v"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), ENCODERS)
@pytest.mark.parametrize("rate", ["30000/1001", "50"])
def test_bare_pictures_have_the_rate_of_their_headers(
    tmp_path: Path, name: str, options: list[str], rate: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    ffmpeg("-r", rate, "-i", gray_clip(tmp_path / "clip.mp4", 10), *options, path)
    per_second = float(Fraction(rate))
    with VideoFile(path) as video:
        assert video.frames_per_second == pytest.approx(per_second, rel=1e-4)
        timestamps = [frame.timestamp for frame in video]
    np.testing.assert_allclose(timestamps, np.arange(10) / per_second, atol=1e-4)
    assert caplog.messages == []
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(playable_copy(path, 0, 10 / per_second, 10**6))
    with VideoFile(copy) as video:
        np.testing.assert_allclose([frame.timestamp for frame in video], timestamps, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "options"), [("a.mjpeg", ["-c:v", "mjpeg"]), ("a.obu", ["-c:v", "libaom-av1", "-cpu-used", "8"])]
)
def test_a_rate_that_is_assumed_is_told(tmp_path: Path, name: str, options: list[str], caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / name
    ffmpeg("-r", "50", "-i", gray_clip(tmp_path / "clip.mp4", 4), *options, path)
    with VideoFile(path) as video:
        assert [frame.timestamp for frame in video] == [0, 0.04, 0.08, 0.12]
    assert caplog.messages == [f"{path}: does not say its rate; 25 frames per second are assumed"]


def clip_with_times(path: Path, expression: str) -> Path:
    ffmpeg("-i", gray_clip(path.with_suffix(".plain.mp4"), 6, 10), "-vf", f"setpts='{expression}'", "-fps_mode", "passthrough",
           "-c:v", "libx264", "-bf", "0", path)  # fmt: skip
    return path


@pytest.mark.parametrize("jump", [1e5, 1e7])
def test_a_clock_that_jumps_ahead_is_told(tmp_path: Path, jump: float, caplog: pytest.LogCaptureFixture) -> None:
    path = clip_with_times(tmp_path / "a.mkv", f"if(gte(N,3),PTS+{jump}/TB,PTS)")
    with VideoFile(path) as video:
        timestamps = np.asarray([frame.timestamp for frame in video])
    assert len(timestamps) == 6
    steps = np.diff(timestamps)
    assert (steps > 0).all()
    assert timestamps[-1] < 2
    assert len(caplog.messages) == 1
    assert f"its clock jumps {jump:.0f} s ahead after the picture at 0.20 s" in caplog.messages[0]


def test_a_long_pause_is_no_jump(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = clip_with_times(tmp_path / "a.mkv", "if(gte(N,3),PTS+5000/TB,PTS)")
    with VideoFile(path) as video:
        assert [frame.timestamp for frame in video][-1] == pytest.approx(5000.5, abs=0.01)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ([0, 0.1, 0.2, -50, -49.9], [0.1, 0.2, 0.3, 0.4]),
        ([0, 0.1, 0.1, 0.1, 0.4], [0.1, 0.2, 0.3, 0.4]),
        ([0, 0.1, float("nan"), 0.3], [0.1, 0.2, 0.3]),
        ([0, 0.1, float("inf"), 0.3], [0.1, 0.2, 0.3]),
        ([0, 0.1, -9.2e18, 0.3, 9.2e18, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]),
        ([-3, -2.9, -2.8], [0.1, 0.2]),
        ([0, 30_000, 30_000.1], [0.1, 0.2]),
        ([5, 4.9, 5.2], [0.1, 0.2]),
    ],
)
def test_times_go_on_whatever_the_clock_does(tmp_path: Path, clock: list[float], expected: list[float]) -> None:
    counted = _Clock(tmp_path, 0.0, clock[0], 0.1)
    np.testing.assert_allclose([counted.next(time) for time in clock[1:]], expected, atol=1e-6)


@pytest.mark.parametrize("shape", ["1900", "1/1900", "20", "1/20"])
def test_pixels_that_cannot_be_so_long_count_as_square(tmp_path: Path, shape: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-i", gray_clip(tmp_path / "square.mp4", 3), "-vf", f"setsar={shape}", path)
    with VideoFile(path) as video:
        assert video.size == (64, 48)
    # FFmpeg itself takes no notice of the longest.
    assert ["they count as square" in message for message in caplog.messages] == ([True] if "1900" not in shape else [])


def test_a_picture_that_stands_still_for_long_while_sound_goes_on_is_not_the_end(tmp_path: Path) -> None:
    plain, path = clip_with_times(tmp_path / "a.mkv", "if(gte(N,3),PTS+200/TB,PTS)"), tmp_path / "b.mp4"
    ffmpeg("-i", plain, "-f", "lavfi", "-i", "sine=duration=205:sample_rate=48000", "-c:v", "copy", "-c:a", "aac", path)
    with VideoFile(path) as video:
        timestamps = [frame.timestamp for frame in video]
    assert len(timestamps) == 6
    assert timestamps[-1] == pytest.approx(200.5, abs=0.05)


@pytest.mark.parametrize("name", ["a.mpg", "a.ts", "a.avi", "a.mp4", "a.m2v"])
def test_interlaced_pictures_are_shown_whole(tmp_path: Path, moving_clip: MovingClip, name: str) -> None:
    coder = "libx264" if name.endswith("4") else "mpeg2video"
    path = tmp_path / name
    fields = "setsar=16/15,tinterlace=interleave_top,fieldorder=tff"
    ffmpeg("-i", moving_clip.path, "-vf", fields, "-r", "25", "-flags", "+ilme+ildct", "-c:v", coder, "-q:v", "2", path)
    with VideoFile(moving_clip.path) as whole, VideoFile(path, ClipPart(start=0.4)) as video:
        expected, frames = list(whole), list(video)
        assert len(frames) >= len(expected) - 12
        assert all(abs(frame.timestamp - frame.index / 25) < 0.001 for frame in frames)
        assert frames[0].index == 10
        for frame in frames:
            image = cv2.resize(expected[frame.index].image, video.size)
            assert np.abs(frame.image.astype(int) - image).mean() < 6


def test_an_interlaced_clip_that_lies_on_its_side(tmp_path: Path, moving_clip: MovingClip) -> None:
    fields = "transpose=1,tinterlace=interleave_top,fieldorder=tff"
    stored = tmp_path / "stored.mov"
    ffmpeg("-i", moving_clip.path, "-vf", fields, "-r", "25", "-flags", "+ilme+ildct", "-c:v", "libx264", stored)
    matrix = [0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30]
    with VideoFile(moving_clip.path) as whole, VideoFile(with_matrix(stored, tmp_path / "a.mov", matrix)) as video:
        assert video.size == whole.size
        assert np.abs(next(iter(video)).image.astype(int) - next(iter(whole)).image).mean() < 6


@pytest.mark.parametrize("number", [8, 10, 14])
def test_colors_that_cannot_be_converted_are_an_error(tmp_path: Path, moving_clip: MovingClip, number: int) -> None:
    """OpenCV gives black pictures, without a word: of YCgCo, BT.2020 with constant luminance, and ICtCp."""
    path = tmp_path / "a.mp4"
    ffmpeg("-i", moving_clip.path, "-c", "copy", "-bsf:v", f"h264_metadata=matrix_coefficients={number}", path)
    with pytest.raises(SourceError, match="its colors cannot be converted"):
        VideoFile(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in the file system")
@pytest.mark.parametrize("is_interlaced", [True, False])
def test_pictures_from_a_pipe_move_however_they_are_stored(tmp_path: Path, moving_clip: MovingClip, is_interlaced: bool) -> None:
    clip, pipe = tmp_path / "a.ts", tmp_path / "pipe.ts"
    fields = "tinterlace=interleave_top,fieldorder=tff" if is_interlaced else "null"
    flags = ["-flags", "+ilme+ildct"] if is_interlaced else []
    ffmpeg("-i", moving_clip.path, "-vf", fields, "-r", "25", *flags, "-c:v", "mpeg2video", clip)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    with VideoFile(pipe) as video:
        images = [frame.image for frame in video]
    writer.join()
    assert not all(np.array_equal(image, images[0]) for image in images)


@pytest.mark.parametrize("name", ["clip.ts", "clip.mp4", "clip.h264", "clip.avi", "clip.webm"])
def test_pictures_of_another_size_keep_their_shape(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    options = {".h264": ["-c:v", "libx264"], ".avi": ["-c:v", "mjpeg", "-f", "mjpeg"], ".webm": ["-c:v", "libvpx", "-f", "ivf"]}
    joined = b""
    for number, size in enumerate(["128x96", "96x128"]):
        part = tmp_path / f"part{number}"
        kind = options.get(Path(name).suffix, ["-c:v", "libx264", "-f", "mpegts"])
        ffmpeg("-f", "lavfi", "-i", f"color=white:s={size}:r=25", "-t", "0.4", "-g", "5", *kind, *(
            ["-f", "h264"] if name.endswith("h264") else []
        ), part)  # fmt: skip
        joined += part.read_bytes()[32 if number and name.endswith("webm") else 0 :]  # without the second header
    clip = tmp_path / name
    (tmp_path / "joined").write_bytes(joined)
    if name in ("clip.ts", "clip.h264"):
        clip.write_bytes(joined)
    else:
        ffmpeg("-i", tmp_path / "joined", "-c", "copy", clip)
    with VideoFile(clip) as video:
        frames = list(video)
    assert len(frames) == 20
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    assert [round(later.timestamp - frame.timestamp, 2) for frame, later in pairwise(frames)] == [0.04] * 19
    for frame in frames:
        bars = 0 if frame.index < 10 else 28
        assert np.flatnonzero(frame.image[48, :, 1] > 128)[[0, -1]] == pytest.approx([bars, 127 - bars], abs=1)
    assert "its pictures change from 128x96 to 96x128" in caplog.text
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(playable_copy(clip, 0.0, 1.0, 10**7))
    with VideoFile(copy) as video:
        last = list(video)[-1].image
    assert last[48, :10].max() < 50 < last[48, 60].min()


def test_the_track_that_players_show(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip, cover = tmp_path / "clip.mkv", tmp_path / "cover.m4a"
    sources = [item for color in ("red", "blue") for item in ("-f", "lavfi", "-i", f"color={color}:s=64x48:r=25")]
    ffmpeg(*sources, "-t", "0.4", "-map", "0", "-map", "1", "-disposition:v:0", "0", "-disposition:v:1", "default", clip)
    with VideoFile(clip) as video:
        frames = list(video)
    assert len(frames) == 10
    assert frames[0].image[20, 20, 0] > 200
    assert "has 2 video tracks; the default one is used (track 2)" in caplog.text
    ffmpeg("-f", "lavfi", "-i", "sine", "-i", PHOTO, "-t", "0.4", "-map", "0", "-map", "1", "-c:v", "mjpeg",
           "-disposition:v:0", "attached_pic", cover)  # fmt: skip
    with pytest.raises(SourceError, match="holds a cover picture, but no video"):
        VideoFile(cover)


def test_a_clip_that_is_cut_at_the_left(tmp_path: Path) -> None:
    whole, clip = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=208x160:r=25", "-t", "0.2", "-c:v", "libx264", "-pix_fmt", "yuv420p", whole)
    ffmpeg("-i", whole, "-c", "copy", "-bsf:v", "h264_metadata=crop_left=40:crop_right=8:crop_top=40:crop_bottom=0", clip)
    with VideoFile(whole) as video, VideoFile(clip) as cut:
        assert cut.size == (160, 120)
        for frame, part in zip(video, cut, strict=True):
            assert np.array_equal(frame.image[40:, 40:200], part.image)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX tells who was killed")
def test_an_ffmpeg_that_is_killed_is_no_end(tmp_path: Path, moving_clip: MovingClip) -> None:
    clip = tmp_path / "interlaced.mp4"
    ffmpeg(
        "-i", moving_clip.path, "-vf", "setfield=tff", "-c:v", "libx264", "-flags", "+ilme+ildct", "-x264-params", "tff=1", clip
    )
    with VideoFile(clip) as video:
        frames = iter(video)
        next(frames)
        assert video._converter is not None
        video._converter.kill()
        with pytest.raises(SourceError, match="SIGKILL"):
            deque(frames, 0)


def test_a_last_picture_without_a_time_is_no_jump(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = tmp_path / "clip.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-t", "2", "-c:v", "mpeg4", "-bf", "2", clip)
    with VideoFile(clip) as video:
        times = [frame.timestamp for frame in video]
    assert [round(later - earlier, 3) for earlier, later in pairwise(times)] == [0.04] * 49
    assert "jumps" not in caplog.text


def test_a_copy_of_a_part_of_a_transport_stream_is_whole(tmp_path: Path) -> None:
    clip, copy = tmp_path / "clip.ts", tmp_path / "copy.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-t", "3", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "250", clip)
    copy.write_bytes(playable_copy(clip, 1.52, 2.52, 10**7))
    with VideoFile(clip) as video, VideoFile(copy) as part:
        frames, shown = list(video), list(part)
    assert len(shown) == 25
    assert (
        np.abs(shown[0].image.astype(int) - frames[38].image).mean()
        < 8
        < np.abs(shown[0].image.astype(int) - frames[50].image).mean()
    )


def test_a_photo_in_a_clips_container_is_no_clip(tmp_path: Path) -> None:
    photo = tmp_path / "photo.avif"
    assert cv2.imwrite(str(photo), make_image(640, 480))
    with pytest.raises(SourceError, match="is a photo"):
        VideoFile(photo)


@pytest.mark.skipif(sys.platform != "linux", reason="needs names of descriptors")
def test_a_file_that_is_open_stays_the_same_whatever_takes_its_name(moving_clip: MovingClip, tmp_path: Path) -> None:
    clip, other = tmp_path / "clip.mp4", tmp_path / "other.mp4"
    shutil.copy(moving_clip.path, clip)
    write_clip(other, [make_image()] * 5, 25.0)
    with MediaFile(clip) as file:
        other.replace(clip)
        assert picture_size(file) == moving_clip.size
        assert [frame.index for frame in frames_at(file, {70})] == [70]
        with VideoFile(file) as again:
            assert again.path == clip
            assert not file.has_changed
        clip.unlink()
        clip.mkdir()
        assert picture_size(file) == moving_clip.size


def test_a_file_that_is_written_to_has_changed(moving_clip: MovingClip, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    shutil.copy(moving_clip.path, clip)
    with MediaFile(clip) as file:
        assert not file.has_changed
        with clip.open("ab") as end:
            end.write(b"more")
        with MediaFile(file) as again:
            assert file.has_changed
            assert again.has_changed, "since it was opened first"


def test_frames_that_a_part_leaves_out_are_looked_at_before_later_ones_are_read(moving_clip: MovingClip) -> None:
    order: list[int] = []
    skipped = SkippedFrames(lambda frame: order.append(frame.index), margin=0.1)

    with VideoFile(moving_clip.path, ClipPart.of(1.0, 1.4, every=4), skipped) as clip:
        read = []
        for frame in clip:
            order.append(frame.index)
            read.append(frame.index)

    assert read == [25, 29, 33]
    assert order == list(range(23, 38))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_the_decoder_has_as_many_threads_as_are_wanted(moving_clip: MovingClip) -> None:
    def decoders(threads: int | None) -> int:
        with VideoFile(moving_clip.path, threads=threads):
            return sum(path.read_text().startswith("av:") for path in Path("/proc/self/task").glob("*/comm"))

    assert decoders(1) == 0
    assert decoders(3) == 3
