from __future__ import annotations

import os
import pty
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from emodetect.errors import EmodetectError, SourceError, UsageError
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.media_file import STANDARD_INPUT
from emodetect.sources.camera import LiveCapture, LiveSource
from emodetect.sources.capture_format import UNSTATED, CaptureFormat, PictureSize
from emodetect.sources.video import VideoFile
from emodetect.types import Frame
from tests.builders import MovingClip, make_image, write_clip

SMALL = CaptureFormat(PictureSize(64, 48))
BYTES = 64 * 48 * 3


@contextmanager
def replaced(descriptor: int) -> Iterator[None]:
    kept = os.dup(0)
    os.dup2(descriptor, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    """Let this process's standard input be these bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        with replaced(file.fileno()):
            yield


def read(form: CaptureFormat = UNSTATED) -> list[Frame]:
    with LiveCapture(LiveSource.parse("-"), form) as capture:
        return [*capture]


def said(form: CaptureFormat = UNSTATED) -> str:
    with pytest.raises(SourceError) as caught:
        read(form)
    return str(caught.value)


def converted(clip: Path, *options: str) -> bytes:
    return subprocess.run(
        [ffmpeg_program(), "-loglevel", "error", "-i", clip, *options, "-"], capture_output=True, check=True
    ).stdout


def test_raw_frames_are_read_as_they_are() -> None:
    images = [np.full((48, 64, 3), (number, 10, 200), np.uint8) for number in range(5)]
    with standard_input(b"".join(image.tobytes() for image in images)):
        frames = read(CaptureFormat(PictureSize(64, 48), 10.0))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    for frame, image in zip(frames, images, strict=True):
        assert np.array_equal(frame.image, image)
    assert frames[-1].timestamp >= 0.4  # played at its rate


def test_raw_frames_from_a_pipe_that_is_written_bit_by_bit() -> None:
    image = np.asarray(np.random.default_rng(1).integers(0, 255, (48, 64, 3)), np.uint8)
    reader, writer = os.pipe()
    with replaced(reader), LiveCapture(LiveSource.parse("-"), SMALL) as capture:
        os.write(writer, image.tobytes()[:100])
        assert not capture.opened(0.1)
        os.write(writer, image.tobytes()[100:])
        os.close(writer)
        [frame] = [*capture]
    os.close(reader)
    assert np.array_equal(frame.image, image)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("-f", "mjpeg"), 75), (("-f", "mpegts"), 75), (("-f", "matroska"), 75), (("-c", "copy", "-f", "nut"), 75),
        (("-f", "mpjpeg"), 75), (("-c:v", "libx264", "-f", "h264"), 75),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_streams_are_recognized_by_their_first_bytes(options: tuple[str, ...], count: int, moving_clip: MovingClip) -> None:
    with standard_input(converted(moving_clip.path, *options)):
        frames = read()
    assert frames[-1].index == count - 1
    assert frames[-1].image.shape == (360, 640, 3)


def test_another_size_is_brought_to_the_first(moving_clip: MovingClip) -> None:
    wide = converted(moving_clip.path, "-f", "mpegts")
    high = converted(moving_clip.path, "-vf", "crop=180:360", "-f", "mpegts")
    with standard_input(wide + high):
        frames = read()
    image = frames[-1].image
    assert image.shape == (360, 640, 3)
    assert image[:, :220].max() < 30
    assert image[:, 420:].max() < 30
    assert image[:, 240:400].min() > 60


def test_a_clip_sent_faster_than_it_plays_is_told(moving_clip: MovingClip, caplog: pytest.LogCaptureFixture) -> None:
    with standard_input(bytes(BYTES * 150)):
        read(SMALL)
    assert "frames per second, of which some are left out; `fps` plays it at its rate" in caplog.text


@pytest.mark.parametrize(
    ("data", "form", "message"),
    [
        (b"", UNSTATED, "standard input is empty"),
        (b"", SMALL, "standard input: is empty"),
        (b"hello", SMALL, "standard input: ends after 5 bytes; a frame of 64x48 has 9,216 bytes (bgr24)"),
        (b"hello", UNSTATED, "standard input: is neither MJPEG nor MPEG-TS, nor another stream that is known; `size` says"),
        (bytes(BYTES), UNSTATED, "standard input: is neither MJPEG nor MPEG-TS"),
        (b"#EXTM3U\nfile:///etc/passwd\n", UNSTATED, "standard input: is neither MJPEG nor MPEG-TS"),
        (b"G" * 3000, UNSTATED, "standard input: begins like mpegts, and cannot be read as such"),
        (b"\xff\xd8\xff" + bytes(1000), UNSTATED, "standard input: gives no picture"),
        (b"", CaptureFormat(PictureSize(100_000, 100_000)), "standard input: pictures of 100000 x 100000"),
    ],
)
def test_what_cannot_be_read_is_one_line(data: bytes, form: CaptureFormat, message: str) -> None:
    with standard_input(data):
        assert said(form).startswith(message)


def test_a_wrong_size_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with standard_input(bytes(2 * BYTES + 7)):
        assert read(SMALL)[-1].index == 1
    assert "ends in the middle of a frame, after 7 bytes; a frame of 64x48 has 9,216 bytes (bgr24)" in caplog.text
    assert "is `size` right?" in caplog.text


def test_a_terminal_is_no_source() -> None:
    ours, its = pty.openpty()
    with replaced(its):
        assert said().startswith("standard input is a terminal")
        with pytest.raises(SourceError, match="is a terminal, not a video"):
            VideoFile(STANDARD_INPUT)
    os.close(ours)
    os.close(its)


def test_it_can_be_read_only_once() -> None:
    with pytest.raises(UsageError, match="`loop` applies to clips"):
        LiveCapture(LiveSource.parse("-"), loop=True)


def test_size_and_rate_go_with_cameras_and_standard_input(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", [make_image()])
    for source, noun in ((str(clip), "clip"), ("rtsp://127.0.0.1:1/x", "stream")):
        with pytest.raises(UsageError, match=f"`size` applies to cameras and standard input only; a {noun} has its own"):
            LiveCapture(LiveSource.parse(source), SMALL)
        with pytest.raises(UsageError, match="`fps` applies to") as caught:
            LiveCapture(LiveSource.parse(source), CaptureFormat(None, 30.0))
        assert caught.value.parameter == "fps"


@pytest.mark.parametrize("text", ["1280x720", "1280X720", "1280 x 720", "1280*720", "1280\u00d7720", "1280,720"])
def test_sizes(text: str) -> None:
    assert PictureSize.parse(text) == (1280, 720)


@pytest.mark.parametrize("text", ["", "1280", "0x720", "1280x", "-1x5", "1280x720x3", "hd", "1e3x2", "999999x9"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(EmodetectError, match="is no size; expected width and height, such as 1280x720"):
        PictureSize.parse(text)


def test_video_reads_a_clip_from_standard_input(moving_clip: MovingClip) -> None:
    with standard_input(moving_clip.path.read_bytes()), VideoFile(STANDARD_INPUT) as clip:
        assert sum(1 for _ in clip) == 75


def test_video_reads_a_stream_from_a_pipe(moving_clip: MovingClip, caplog: pytest.LogCaptureFixture) -> None:
    sending: list[str | Path] = [
        ffmpeg_program(),
        "-loglevel",
        "error",
        "-i",
        moving_clip.path,
        "-c",
        "copy",
        "-f",
        "mpegts",
        "-",
    ]
    with subprocess.Popen(sending, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with replaced(process.stdout.fileno()), VideoFile(STANDARD_INPUT) as clip:
            assert sum(1 for _ in clip) == 75
    assert "standard input: is a pipe" in caplog.text
