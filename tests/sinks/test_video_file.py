from __future__ import annotations

import os
import re
import subprocess
import wave
from collections.abc import Iterable
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from emodetect.drawing.overlay import Layout, draw
from emodetect.errors import OutputError
from emodetect.media.encoder import VideoEncoder
from emodetect.sinks.video_file import AnnotatedVideo, LiveRecording
from emodetect.sources.video import VideoFile
from emodetect.types import Box, Image
from tests.builders import make_background, make_frame, make_image, make_reading, make_result, small_disk, write_clip
from tests.waiting import wait_until

RATE = 25.0


def read_back(path: Path) -> list[Image]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    images = []
    while (read := capture.read())[0]:
        images.append(np.asarray(read[1], np.uint8))
    return images


def describe(path: Path) -> str:
    """What FFmpeg says of a file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-i", str(path)]
    return subprocess.run(command, capture_output=True, check=False).stderr.decode(errors="replace")


def duration(path: Path) -> float:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", describe(path))
    assert found
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def sound(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """The first sound track, mono, 8000 samples a second."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-i", str(path), "-map", "0:a:0"]
    command += ["-f", "s16le", "-ac", "1", "-ar", "8000", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)


def heard(path: Path) -> float:
    """When the first sound is heard, seconds."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-i", str(path)]
    # Silence fills the time before a track that starts later.
    command += ["-map", "0:a:0", "-af", "aresample=8000:async=1:first_pts=0", "-ac", "1", "-f", "s16le", "-"]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)
    return float(np.argmax(np.abs(samples.astype(int)) > 3000)) / 8000


def make_wav(path: Path, seconds: float, hertz: float = 440.0, silence: float = 0.0) -> Path:
    """A tone after a silence, both in seconds."""
    times = np.arange(int(16_000 * (silence + seconds))) / 16_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((12_000 * np.sin(2 * np.pi * hertz * times) * (times >= silence)).astype("<i2").tobytes())
    return path


def encode(path: Path, images: Iterable[Image], sound_from: Path | None = None) -> Path:
    encoder: VideoEncoder | None = None
    for image in images:
        if encoder is None:
            encoder = VideoEncoder(path, (image.shape[1], image.shape[0]), RATE, sound_from=sound_from)
        encoder.write(image)
    assert encoder is not None
    encoder.close()
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("count", [1, 30])
def test_as_many_pictures_come_out_as_went_in_and_in_order(tmp_path: Path, count: int, suffix: str) -> None:
    levels = [20 + 7 * index for index in range(count)]
    path = encode(tmp_path / f"out{suffix}", [make_image(color=(level, level, level)) for level in levels])
    images = read_back(path)
    assert len(images) == count
    np.testing.assert_allclose([image.mean() for image in images], levels, atol=2)


def test_it_is_h264_that_browsers_play(tmp_path: Path) -> None:
    path = encode(tmp_path / "out.mp4", [make_image()] * 5)
    assert re.search(r"Video: h264 .*yuv420p", describe(path))
    # The index stands before the pictures, so that playing begins before all is loaded.
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("size", "padded"),
    [((64, 48), (64, 48)), ((65, 48), (66, 48)), ((64, 49), (64, 50)), ((65, 49), (66, 50)), ((2, 2), (2, 2)), ((1, 1), (2, 2))],
)
def test_odd_sizes_are_padded_and_nothing_is_rescaled(tmp_path: Path, size: tuple[int, int], padded: tuple[int, int]) -> None:
    width, height = size
    picture = make_background(size) if width > 8 else make_image(width, height)
    # A bright frame round the rim: rescaling would move it, a pad on the wrong side too.
    for rim in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
        rim[:] = 230
    [result, *_] = read_back(encode(tmp_path / "out.mp4", [picture] * 3))
    assert (result.shape[1], result.shape[0]) == padded
    assert np.abs(result[:height, :width].astype(int) - picture).mean() < 12
    if width > 8:
        assert result[height - 1, : width - 2].mean() > 205
        assert result[: height - 2, width - 1].mean() > 205
        assert np.all(result[height:] < 128)
        assert np.all(result[:, width:] < 128)


@pytest.mark.parametrize("color", [(142, 142, 142), (30, 60, 200), (210, 90, 40)])
def test_colors_stay_true(tmp_path: Path, color: tuple[int, int, int]) -> None:
    [result, *_] = read_back(encode(tmp_path / "out.mp4", [make_image(color=color)] * 3))
    np.testing.assert_allclose(result.reshape(-1, 3).mean(axis=0), color, atol=3)


@pytest.mark.parametrize(("rate", "said"), [(25.0, "25 fps"), (30_000 / 1001, "29.97 fps"), (7.5, "7.5"), (60.0, "60 fps")])
def test_the_rate_is_kept(tmp_path: Path, rate: float, said: str) -> None:
    path = write_clip(tmp_path / "out.mp4", [make_image()] * 30, rate)
    assert said in describe(path)
    assert duration(path) == pytest.approx(30 / rate, abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_picture_in_an_hour_is_a_rate_too(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with AnnotatedVideo(path, 1 / 3600) as video:
        for index in range(3):
            frame = make_frame(index=index, timestamp=3600.0 * index)
            video.write(frame, make_result(index=index))
    assert len(read_back(path)) == 3
    assert duration(path) > 7200


def test_a_picture_of_another_size_is_an_error(tmp_path: Path) -> None:
    encoder = VideoEncoder(tmp_path / "out.mp4", (64, 48), RATE)
    encoder.write(make_image(64, 48))
    with pytest.raises(OutputError, match=r"\(64, 48\) to \(48, 64\)"):
        encoder.write(make_image(48, 64))
    encoder.close()
    assert len(read_back(tmp_path / "out.mp4")) == 1


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    encoder = VideoEncoder(tmp_path / "out.mp4", (64, 48), RATE)
    encoder.write(make_image())
    encoder.close()
    encoder.close()


@pytest.mark.parametrize("name", ["missing/out.mp4", "out.unknown"])
def test_what_ffmpeg_cannot_write_is_an_error_that_says_so_in_one_line(tmp_path: Path, name: str) -> None:
    def work() -> None:
        encoder = VideoEncoder(tmp_path / name, (640, 360), RATE)
        try:
            for _ in range(50):
                encoder.write(make_image(640, 360))
        finally:
            encoder.close()

    with pytest.raises(OutputError, match="cannot be written") as caught:
        work()
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["-dash.mp4", "ünï cöde.mp4", "per%cent%02d.mp4", "colon:name.mp4"])
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    encode(tmp_path / name, [make_image()] * 3)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert "Video: h264" in describe(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("seconds", [0.2, 2.0, 5.0])
def test_sound_is_taken_along_and_the_pictures_decide_how_long_it_is(tmp_path: Path, seconds: float, suffix: str) -> None:
    # Shorter sound must not cut the pictures, longer sound must not lengthen them.
    levels = [20 + 4 * index for index in range(50)]
    images = [make_image(color=(level, level, level)) for level in levels]
    path = encode(tmp_path / f"out{suffix}", images, make_wav(tmp_path / "sound.wav", seconds))
    assert re.search("Stream .*Audio: aac", describe(path))
    np.testing.assert_allclose([image.mean() for image in read_back(path)], levels, atol=2)
    assert duration(path) == pytest.approx(2, abs=0.1)
    samples = sound(path)
    assert len(samples) / 8000 == pytest.approx(2, abs=0.05)
    # The tone is there as long as it lasts, and then silence.
    heard = np.abs(samples.astype(int))
    assert heard[: int(8000 * min(seconds, 1.9)) - 800].mean() > 3000
    if seconds < 2:
        assert heard[int(8000 * seconds) + 1600 :].mean() < 100


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_titles_and_chapters_of_the_clip_stay_behind(tmp_path: Path, suffix: str) -> None:
    """They may say who is in it."""
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Anna at home\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=Anna sings\n"
    )
    clip = tmp_path / "clip.mkv"
    sound, chapters = make_wav(tmp_path / "a.wav", 1), tmp_path / "chapters.txt"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(sound), "-i", str(chapters), "-map_chapters", "1",
               "-map_metadata", "1", "-metadata:s:a:0", "title=Anna's voice", "-c:a", "aac", str(clip)]  # fmt: skip
    subprocess.run(command, check=True)
    path = encode(tmp_path / f"out{suffix}", [make_image()] * 25, clip)
    assert "Audio: aac" in describe(path)
    assert "Anna" not in describe(path)
    assert "Chapter" not in describe(path)


def test_the_sound_begins_where_the_pictures_do(tmp_path: Path) -> None:
    wav, path = make_wav(tmp_path / "sound.wav", 1, silence=2), tmp_path / "out.mp4"
    with AnnotatedVideo(path, RATE, sound_from=wav) as video:
        for index in range(50, 75):
            video.write(make_frame(index=index, timestamp=index / RATE), make_result())

    first, last = np.abs(sound(path).astype(int)[:8000].reshape(2, -1)).mean(axis=1)
    assert min(first, last) > 3000


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(("pictures_late", "sound_late"), [(0, 0), (1, 0), (0, 1)])
def test_sound_and_pictures_stay_together(tmp_path: Path, pictures_late: int, sound_late: int, suffix: str) -> None:
    """Picture and tone come two seconds after the clip's start, whichever of the tracks starts later."""
    levels = [20] * (50 - 25 * pictures_late) + [220] * 25
    flash = write_clip(tmp_path / "flash.mp4", [make_image(color=(level, level, level)) for level in levels])
    tone = make_wav(tmp_path / "tone.wav", 1, silence=2 - sound_late)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-itsoffset", pictures_late, "-i", flash]
    command += ["-itsoffset", sound_late, "-i", tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy", tmp_path / f"in{suffix}"]
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL)

    with VideoFile(tmp_path / f"in{suffix}") as clip, AnnotatedVideo(tmp_path / "out.mkv", RATE, sound_from=clip.path) as video:
        for frame in clip:
            video.write(frame, make_result(index=frame.index, timestamp=frame.timestamp))

    with VideoFile(tmp_path / "out.mkv") as written:
        shown = next(frame.timestamp for frame in written if frame.image.mean() > 128)
    assert shown == pytest.approx(2 - pictures_late, abs=0.01)
    assert heard(tmp_path / "out.mkv") == pytest.approx(shown, abs=0.05)


def test_the_sound_of_a_clip_is_the_first_of_its_tracks(tmp_path: Path) -> None:
    high, low = make_wav(tmp_path / "high.wav", 1, 2000), make_wav(tmp_path / "low.wav", 1, 200)
    silent = write_clip(tmp_path / "silent.mp4", [make_image()] * 25)
    clip = tmp_path / "clip.mkv"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", silent, "-i", high, "-i", low]
    command += ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "copy", clip]
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL)
    path = encode(tmp_path / "out.mp4", [make_image()] * 25, clip)
    assert describe(path).count("Audio:") == 1
    samples = sound(path).astype(float)
    assert np.abs(np.fft.rfft(samples)).argmax() * 8000 / len(samples) == pytest.approx(2000, abs=20)


@pytest.mark.parametrize("name", ["silent.mp4", "Audio: none.mp4"])
def test_a_clip_without_sound_gives_one_without_sound(tmp_path: Path, name: str) -> None:
    silent = write_clip(tmp_path / name, [make_image()] * 5)
    path = encode(tmp_path / "out.mp4", [make_image()] * 5, silent)
    assert "Audio:" not in describe(path)
    assert len(read_back(path)) == 5


def test_a_sound_file_that_is_gone_does_not_cost_the_pictures(tmp_path: Path) -> None:
    assert len(read_back(encode(tmp_path / "out.mp4", [make_image()] * 5, tmp_path / "missing.mp4"))) == 5


def test_annotated_video_has_the_overlay_of_each_frame_on_it(tmp_path: Path) -> None:
    plain = make_background((320, 240))
    boxes = [None, Box(40, 60, 80, 80), Box(200, 100, 60, 70)]
    results = [make_result(*([make_reading(box)] if box else []), index=i) for i, box in enumerate(boxes)]
    with AnnotatedVideo(tmp_path / "out.mp4", RATE) as video:
        for index, result in enumerate(results):
            video.write(make_frame(plain, index), result)
    images = read_back(tmp_path / "out.mp4")
    assert len(images) == 3
    for image, result in zip(images, results, strict=True):
        expected = draw(plain, result.readings, layout=Layout())
        others = [draw(plain, other.readings, layout=Layout()) for other in results if other is not result]
        off = np.abs(image.astype(int) - expected).mean()
        assert off < 3
        assert all(np.abs(image.astype(int) - other).mean() > off + 1 for other in others)


def test_the_frame_itself_is_not_drawn_on(tmp_path: Path) -> None:
    plain = make_background((320, 240))
    before = plain.copy()
    with AnnotatedVideo(tmp_path / "out.mp4", RATE) as video:
        video.write(make_frame(plain), make_result(make_reading()))
    np.testing.assert_array_equal(plain, before)


def test_a_video_of_no_frames_leaves_no_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "out.mp4", RATE) as video:
        video.close()
    with LiveRecording(tmp_path / "live.mp4", RATE):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_video_is_playable_when_the_work_is_interrupted(tmp_path: Path) -> None:
    def work() -> None:
        with AnnotatedVideo(tmp_path / "out.mp4", RATE) as video:
            for index in range(4):
                video.write(make_frame(index=index), make_result())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(read_back(tmp_path / "out.mp4")) == 4


def record(path: Path, timestamps: Iterable[float], rate: float = 10.0) -> list[int]:
    """Which frame stands in each picture of a recording; frame n is 20 (n + 1) bright."""
    with LiveRecording(path, rate) as recording:
        for index, timestamp in enumerate(timestamps):
            level = 20 * (index + 1)
            frame = make_frame(make_image(color=(level, level, level)), index, timestamp)
            recording.write(frame, make_result(index=index, timestamp=timestamp))
    return [round(float(image.mean()) / 20) - 1 for image in read_back(path)]


@pytest.mark.parametrize(
    ("timestamps", "expected"),
    [
        pytest.param([0.0], [0], id="one"),
        pytest.param([0.0, 0.1, 0.2, 0.3], [0, 1, 2, 3], id="regular"),
        pytest.param([7.3, 7.4, 7.5], [0, 1, 2], id="starts late"),
        pytest.param([0.0, 0.1, 0.5, 0.6], [0, 1, 1, 1, 1, 2, 3], id="each stands until the next"),
        pytest.param([0.0, 0.11, 0.19, 0.32, 0.38], [0, 1, 2, 3, 4], id="a little early and late"),
        pytest.param([0.0, 0.02, 0.04, 0.1, 0.12, 0.2], [0, 3, 5], id="faster than the file"),
    ],
)
def test_a_recording_keeps_time(tmp_path: Path, timestamps: list[float], expected: list[int]) -> None:
    assert record(tmp_path / "live.mp4", timestamps) == expected


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_hours_without_pictures_are_not_filled_frame_by_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"live{suffix}"
    shown = record(path, [0.0, 0.1, *(7200 + index / 10 for index in range(8))])
    assert (shown[:2], shown[-8:]) == ([0, 1], [2, 3, 4, 5, 6, 7, 8, 9])
    assert 250 < shown.count(1) <= 301
    assert duration(path) == pytest.approx(7200.8, abs=0.3)


def test_a_recording_of_a_clip_at_its_own_rate_is_the_clip(tmp_path: Path) -> None:
    # Thirtieths of a second, cut to microseconds, are all a little short.
    timestamps = [int(1e6 * index / 30) / 1e6 for index in range(11)]
    assert record(tmp_path / "live.mp4", timestamps, rate=30) == list(range(11))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_pictures_keep_the_times_they_come_with(tmp_path: Path, suffix: str) -> None:
    path, times = tmp_path / f"out{suffix}", [0.0, 0.04, 0.44, 0.5, 0.9, 0.91]
    with AnnotatedVideo(path, 7.0, sound_from=make_wav(tmp_path / "sound.wav", 3)) as video:
        for index, timestamp in enumerate(times):
            video.write(make_frame(make_image(color=(40 * index,) * 3), index, timestamp), make_result(index=index))
    with VideoFile(path) as written:
        frames = list(written)
    np.testing.assert_allclose([frame.timestamp for frame in frames], times, atol=2e-3)
    np.testing.assert_allclose([frame.image.mean() for frame in frames], 40 * np.arange(6), atol=3)
    assert len(sound(path)) / 8000 == pytest.approx(1.05, abs=0.3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_only_the_end_is_missing_when_the_encoder_is_killed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    encoder = VideoEncoder(path, (64, 48), RATE)
    for index in range(300):
        encoder.write(make_image(color=(index % 200, 0, 0)))
    # Of the pictures that FFmpeg has, the encoder holds less than a second and the fragment another one.
    wait_until(lambda: len(read_back(path)) >= 250, "all but the end")
    encoder._process.kill()
    with pytest.raises(OutputError, match="cannot be written"):
        encoder.close()
    assert len(read_back(path)) >= 250
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    encoder = VideoEncoder(tmp_path / "out.mp4", (64, 48), RATE)
    encoder.write(make_image())
    (tmp_path / "out.mp4").unlink()
    with pytest.raises(OutputError, match=r"out.mp4: was deleted while it was being written"):
        encoder.write(make_image())
    with pytest.raises(OutputError, match="was deleted"):
        encoder.close()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_leaves_what_was_written(tmp_path: Path, suffix: str) -> None:
    pictures = [make_background((320, 240), seed=seed) for seed in range(5)]
    with small_disk(tmp_path / "disk", "size=400k") as disk:
        path = disk / f"out{suffix}"

        def fill() -> None:
            with AnnotatedVideo(path, RATE) as video:
                for index in range(400):
                    video.write(make_frame(pictures[index % 5], index, index / RATE), make_result(index=index))

        with pytest.raises(OutputError, match=f"out{suffix}: cannot be written .*No space left"):
            fill()
        assert len(read_back(path)) > 5
        assert [found.name for found in disk.iterdir()] == [path.name]


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "ro") as disk, pytest.raises(OutputError, match="Read-only file system"):
        VideoEncoder(disk / "out.mp4", (64, 48), RATE)


def test_where_the_size_changes_pictures_are_fitted(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with AnnotatedVideo(path, RATE) as video:
        for index, size in enumerate([(64, 48), (32, 48), (128, 96), (128, 48)]):
            video.write(make_frame(make_image(*size, color=(200, 200, 200)), index, index / RATE), make_result(index=index))
    pictures = read_back(path)
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 4
    lit = [(picture.max(axis=2) > 100).mean() for picture in pictures]
    np.testing.assert_allclose(lit, [1, 0.5, 1, 0.5], atol=0.05)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_is_not_followed(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "precious.mp4").write_text("precious")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "precious.mp4")

    with pytest.raises(OutputError, match=r"cannot be written|exists already"):
        VideoEncoder(tmp_path / "link.mp4", (64, 48), RATE, overwrite=overwrite)
    assert (tmp_path / "precious.mp4").read_text() == "precious"


def test_an_older_file_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("precious")

    with pytest.raises(OutputError, match="exists already"):
        VideoEncoder(path, (64, 48), RATE)
    assert path.read_text() == "precious"
    encoder = VideoEncoder(path, (64, 48), RATE, overwrite=True)
    encoder.write(make_image())
    encoder.close()
    assert len(read_back(path)) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_silence_after_the_sound_is_limited(tmp_path: Path, suffix: str) -> None:
    """Pictures that go on for hours after the sound."""
    path = tmp_path / f"out{suffix}"
    wav = make_wav(tmp_path / "sound.wav", 1)
    with AnnotatedVideo(path, RATE, sound_from=wav) as video:
        for index, timestamp in enumerate([0.0, 0.04, 5_000.0, 10_000.0]):
            video.write(make_frame(index=index, timestamp=timestamp), make_result(index=index, timestamp=timestamp))
    with VideoFile(path) as written:
        assert [frame.timestamp for frame in written] == pytest.approx([0.0, 0.04, 5_000.0, 10_000.0], abs=0.01)
    assert len(sound(path)) / 8000 == pytest.approx(601, abs=1)


@pytest.mark.parametrize(("name", "delay"), [("late.mov", 2_000), ("late.mkv", 2_000), ("late.mkv", 20_000)])
def test_sound_that_begins_after_the_pictures_is_left_out(tmp_path: Path, name: str, delay: int) -> None:
    late = tmp_path / name
    silent = write_clip(tmp_path / "silent.mp4", [make_image()] * 5)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", silent, "-itsoffset", str(delay)]
    command += ["-i", make_wav(tmp_path / "a.wav", 1), "-map", "0:v", "-map", "1:a", "-c:v", "copy", late]
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL)
    path = encode(tmp_path / "out.mp4", [make_image()] * 5, late)
    assert "Audio:" not in describe(path)
    assert len(read_back(path)) == 5


def test_a_clip_is_saved_without_its_sound_if_that_cannot_be_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wav, path = make_wav(tmp_path / "sound.wav", 1), tmp_path / "out.mp4"
    encoder = VideoEncoder(path, (64, 48), RATE, sound_from=wav)
    for _ in range(5):
        encoder.write(make_image())
    os.truncate(wav, 44)
    encoder.close()
    assert len(read_back(path)) == 5
    assert [message.startswith(f"{path}: ") and "without sound" in message for message in caplog.messages] in ([True], [])
