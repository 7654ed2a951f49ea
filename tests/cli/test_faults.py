"""Faults that really happen: full disks, killed processes, dead displays, cameras that hang, backends that fail."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any

import cv2
import pytest

from emodetect.types import Image
from tests.builders import PHOTO, MovingClip, make_background, place_face, small_disk, write_clip, write_plugin
from tests.cli.desktop import open_desktop
from tests.cli.mjpeg import network_camera
from tests.cli.rtsp import rtsp_camera
from tests.cli.running import TIMEOUT, assert_one_line, end, handles_signals, log_lines, run, started
from tests.waiting import wait_until

FAILING_BACKEND = '''
import numpy as np
from emodetect.backends.base import EmotionBackend

class Failing(EmotionBackend):
    """Fails in some of its calls, counted from 0, with NaN or by raising, in turn."""
    name = "failing"
    def __init__(self, calls):
        self.calls, self.count = calls, -1
    def classify(self, crops):
        self.count += 1
        answers = np.tile(np.float32([0, 0, 0, 0, 0, 1, 0]), (len(crops), 1))
        if self.count not in self.calls:
            return answers
        if self.count % 2:
            raise RuntimeError("out of luck")
        return answers * np.nan

def create_sometimes(model, labels):
    return Failing({3, 4, 20})

def create_always(model, labels):
    return Failing(range(100000))
'''


@pytest.fixture(scope="module")
def still_picture() -> Image:
    """640x360 with one face."""
    return place_face(make_background((640, 360)), (200.0, 190.0), 110.0)[0]


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Changes to the environment that add backends by entry point, as an installed package does."""
    folder = tmp_path_factory.mktemp("plugins")
    factories = {"sometimes": "failing_backend:create_sometimes", "always": "failing_backend:create_always"}
    write_plugin(folder, "failing_backend", FAILING_BACKEND, factories)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def whole_records(log: Path) -> list[dict[str, Any]]:
    """What a log holds, each line of which must be whole."""
    text = log.read_text() if log.exists() else ""
    assert not text or text.endswith("\n")
    if log.suffix == ".csv":
        rows = list(csv.reader(text.splitlines()))
        assert all(len(row) == 18 for row in rows)
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    return [json.loads(line) for line in text.splitlines()]


def count_frames(path: Path) -> int:
    """How many pictures of a video can be read."""
    capture, count = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


class TestBackend:
    def test_video_names_the_frames_and_goes_on(
        self, moving_clip: MovingClip, plugins: dict[str, str | None], tmp_path: Path
    ) -> None:
        log = tmp_path / "a.jsonl"
        done = run("video", moving_clip.path, "--backend", "sometimes", "--log", log, env=plugins)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stderr.splitlines() if "failed" in line]
        unread = [record["frame"] for record in whole_records(log) for face in record["faces"] if face["scores"] is None]
        assert len(unread) == 3
        for line, frame in zip(lines, unread, strict=True):
            assert line.startswith(f"emodetect: frame {frame}: the backend failing failed")
        assert len(whole_records(log)) == 75

    @pytest.mark.parametrize("kind", ["video", "live"])
    def test_ten_in_a_row_end_it(
        self, kind: str, moving_clip: MovingClip, plugins: dict[str, str | None], tmp_path: Path
    ) -> None:
        log = tmp_path / "a.jsonl"
        source = [moving_clip.path] if kind == "video" else ["--source", moving_clip.path, "--loop", "--no-window"]
        done = run(kind, *source, "--backend", "always", "--log", log, env=plugins)
        assert done.returncode == 1
        *reports, last = done.stderr.splitlines()
        assert len(reports) == 9
        assert "failed in 10 frames in a row" in last
        assert all(face["scores"] is None for record in whole_records(log) for face in record["faces"])

    def test_image_names_the_photos(self, plugins: dict[str, str | None], tmp_path: Path) -> None:
        photos = [tmp_path / f"{index:02}.jpg" for index in range(12)]
        for photo in photos:
            shutil.copy(PHOTO, photo)
        some = run("image", *photos[:6], "--backend", "sometimes", "--format", "json", env=plugins)
        assert some.returncode == 1
        assert [line.split(": ")[1] for line in some.stderr.splitlines()] == [str(photos[3]), str(photos[4])]
        read = [record["faces"][0]["emotion"] for record in json.loads(some.stdout)]
        assert read == ["surprise", "surprise", "surprise", None, None, "surprise"]

        table = run("image", *photos, "--backend", "always", env=plugins)
        assert table.returncode == 1
        assert len(table.stderr.splitlines()) == 10
        assert table.stdout.count("not read") == 9


SLOW_SHUTDOWN = """
import atexit, os, time

def linger(name, mark=lambda name: os.close(os.open(name, os.O_CREAT)), sleep=time.sleep):
    mark(name)
    sleep(1)

class Lingering:
    def __del__(self, linger=linger):
        linger("teardown")

until_teardown = Lingering()
atexit.register(linger, "atexit")
"""


class TestSignals:
    def test_after_the_work_the_exit_code_stays(self, tmp_path: Path) -> None:
        (tmp_path / "sitecustomize.py").write_text(SLOW_SHUTDOWN)
        changes = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        with started("image", PHOTO, changes=changes, folder=tmp_path) as process:
            for name, number in [("atexit", signal.SIGTERM), ("teardown", signal.SIGINT)]:
                wait_until((tmp_path / name).exists, name)
                process.send_signal(number)
            errors = end(process)
        assert process.returncode == 0
        assert errors == ""

    @pytest.mark.parametrize(("seed", "name"), [(1, "a.jsonl"), (2, "a.csv"), (3, "a.jsonl"), (4, "a.csv")])
    def test_at_any_moment_of_video(self, moving_clip: MovingClip, tmp_path: Path, seed: int, name: str) -> None:
        number, code = [(signal.SIGINT, 130), (signal.SIGTERM, 143)][seed // 2 % 2]
        log, output = tmp_path / name, tmp_path / "a.mp4"
        with started("video", moving_clip.path, "--log", log, "--output", output, "--scale-factor", "1.01") as process:
            wait_until(lambda: handles_signals(process.pid), "the handlers")
            time.sleep(Random(seed).uniform(0, 6))
            process.send_signal(number)
            errors = end(process)
        assert process.returncode in (code, 0), errors
        records = whole_records(log)
        if output.exists():
            assert abs(count_frames(output) - len(records)) <= 1 or log.suffix == ".csv"
            assert count_frames(output) > 0

    @pytest.mark.parametrize(("seed", "name", "shown"), [(5, "a.jsonl", False), (6, "a.csv", True), (7, "a.jsonl", True)])
    def test_at_any_moment_of_live(self, seed: int, name: str, shown: bool, still_picture: Image, tmp_path: Path) -> None:
        number, code = [(signal.SIGINT, 130), (signal.SIGTERM, 143)][seed % 2]
        clip = write_clip(tmp_path / "clip.mp4", [still_picture] * 50)
        log, output = tmp_path / name, tmp_path / "a.mp4"
        arguments: list[str | Path] = ["live", "--source", clip, "--loop", "--log", log, "--record", output]
        with ExitStack() as stack:
            desktop = stack.enter_context(open_desktop()) if shown else None
            changes = {"DISPLAY": desktop.name} if desktop else None
            process = stack.enter_context(started(*arguments, *([] if desktop else ["--no-window"]), changes=changes))
            wait_until(log.exists, "the log")
            time.sleep(Random(seed).uniform(0, 1.5))
            process.send_signal(number)
            errors = end(process)
        assert process.returncode == code
        assert errors.strip() == ("emodetect: interrupted" if code == 130 else "")
        records = whole_records(log)
        assert output.exists() or not records
        assert not output.exists() or count_frames(output) > 0


def kill_all(process: subprocess.Popen[str]) -> None:
    """End a process and its children without any warning, as a failure of the power would."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").parents[1].glob("*/children")
    for child in {int(number) for file in children for number in file.read_text().split()}:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    process.kill()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="there is no /proc here")
class TestKilled:
    def test_video(self, moving_clip: MovingClip, tmp_path: Path) -> None:
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        long = tmp_path / "long.mkv"
        write_clip(long, [make_background((160, 120), seed=index % 5) for index in range(400)])
        with started("video", long, "--log", log, "--output", output) as process:
            wait_until(lambda: log.exists() and len(log.read_text().splitlines()) > 200 and count_frames(output), "frames")
            seen = len(log.read_text().splitlines())
            kill_all(process)
            end(process)
        assert len(whole_records(log)) >= seen
        # 75: a second in the encoder, one in the last fragment, and the queue before it.
        assert count_frames(output) >= seen - 75

    def test_live(self, still_picture: Image, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "clip.mp4", [still_picture] * 50)
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with started("live", "--source", clip, "--loop", "--no-window", "--log", log, "--record", output) as process:
            wait_until(lambda: log.exists() and len(log.read_text().splitlines()) > 60 and count_frames(output), "frames")
            seen = len(log.read_text().splitlines())
            kill_all(process)
            end(process)
        assert len(whole_records(log)) >= seen
        assert count_frames(output) > 0

    def test_a_display_that_dies(self, still_picture: Image, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "clip.mp4", [still_picture] * 50)
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        arguments: list[str | Path] = ["live", "--source", clip, "--loop", "--log", log, "--record", output]
        with open_desktop() as desktop, started(*arguments, changes={"DISPLAY": desktop.name}) as process:
            wait_until(lambda: log.exists() and len(log.read_text().splitlines()) > 60 and count_frames(output), "frames")
            seen = len(log.read_text().splitlines())
            desktop.kill()
            process.communicate(timeout=TIMEOUT)
        assert process.returncode != 0
        assert len(whole_records(log)) >= seen
        wait_until(lambda: count_frames(output) > 0, "a recording that plays")


class TestDisk:
    def test_live_on_a_full_disk(self, still_picture: Image, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "clip.mp4", [still_picture] * 50)
        log = tmp_path / "a.jsonl"
        with small_disk(tmp_path / "disk", "size=100k") as disk:
            done = run("live", "--source", clip, "--loop", "--no-window", "--record", disk / "a.mp4", "--log", log)
            assert_one_line(done, 1, "a.mp4: cannot be written (No space left on device)")
            assert count_frames(disk / "a.mp4") > 0
        assert whole_records(log)

    def test_a_clip_on_a_full_disk(self, moving_clip: MovingClip, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", "size=40k") as disk:
            done = run("video", moving_clip.path, "--output", disk / "a.mp4")
            assert_one_line(done, 1, "a.mp4: cannot be written (No space left on device)")

    def test_a_photo_on_a_full_disk(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", "size=16k") as disk:
            done = run("image", PHOTO, "--output", disk / "a.png")
            assert done.returncode == 1
            assert "a.png: cannot be written (No space left" in done.stderr
            assert list(disk.iterdir()) == []

    def test_a_folder_that_is_deleted_meanwhile(self, still_picture: Image, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "clip.mp4", [still_picture] * 50)
        log = tmp_path / "folder" / "a.jsonl"
        log.parent.mkdir()
        with started("live", "--source", clip, "--loop", "--no-window", "--log", log) as process:
            wait_until(lambda: log_lines(log), "something written")
            shutil.rmtree(log.parent)
            errors = end(process)
        assert process.returncode == 1
        assert errors.splitlines() == [f"emodetect: {log}: was deleted while it was being written"]


class TestCamera:
    def test_the_window_says_that_it_reconnects_and_goes_on(self, still_picture: Image, tmp_path: Path) -> None:
        log = tmp_path / "a.jsonl"
        with network_camera([still_picture]) as camera, open_desktop() as desktop:
            arguments: list[str | Path] = ["live", "--source", camera.address, "--reconnect", "120", "--log", log]
            with started(*arguments, changes={"DISPLAY": desktop.name}) as process:
                wait_until(lambda: len(log_lines(log)) > 20 and desktop.window("emodetect"), "pictures")
                wait_until(lambda: not has_banner(desktop.screenshot("emodetect")), "a picture without a message")
                camera.silent = True
                wait_until(lambda: has_banner(desktop.screenshot("emodetect")), "the banner")
                # Keys are obeyed at once although no picture comes.
                away = desktop.screenshot("emodetect")
                desktop.press("emodetect", "h")
                wait_until(lambda: differs(away, desktop.screenshot("emodetect")), "the help")
                time.sleep(1)  # a key that comes again at once is held down
                desktop.press("emodetect", "h")
                wait_until(lambda: not differs(away, desktop.screenshot("emodetect")), "the end of the help")
                seen = len(log_lines(log))
                camera.silent = False
                wait_until(lambda: len(log_lines(log)) > seen + 20, "more pictures")
                wait_until(lambda: not has_banner(desktop.screenshot("emodetect")), "the end of the banner")
                desktop.quit("emodetect", process)
                end(process)
        assert process.returncode == 0

    def test_a_camera_that_does_not_come_back_leaves_whole_outputs(self, still_picture: Image, tmp_path: Path) -> None:
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with network_camera([still_picture]) as camera:
            arguments: list[str | Path] = [
                "live",
                "--source",
                camera.address,
                "--reconnect",
                "1",
                "--no-window",
                "--log",
                log,
                "--record",
                output,
            ]
            with started(*arguments) as process:
                wait_until(lambda: len(log_lines(log)) > 20, "pictures")
                camera.silent = True
                errors = end(process)
        assert process.returncode == 1
        assert len(errors.splitlines()) == 1
        assert "/...: the stream has given no picture for 2.5 s, and none within 1 s of trying to reconnect" in errors
        assert len(whole_records(log)) > 20
        assert count_frames(output) > 10  # at times, not one by one: while FFmpeg starts, some are left out

    def test_an_rtsp_camera_that_hangs_and_comes_back_with_smaller_pictures(self, still_picture: Image, tmp_path: Path) -> None:
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with rtsp_camera(still_picture, "admin", "s3cret") as camera:
            source = camera.address.replace("rtsp://", "rtsp://admin:s3cret@")
            arguments: list[str | Path] = ["live", "--source", source, "--reconnect", "120", "--no-window"]
            with started(*arguments, "--log", log, "--record", output) as process:
                wait_until(lambda: widths(log), "a face")
                assert widths(log)[-1] > 90
                camera.silent = True
                wait_until(lambda: stands_still(log), "the loss")
                camera.show(cv2.resize(still_picture, (320, 180)))
                camera.silent = False
                wait_until(lambda: widths(log)[-1] < 90, "the face in the smaller picture")
                process.send_signal(signal.SIGTERM)
                errors = end(process)
        assert process.returncode == 143
        assert errors == ""
        assert whole_records(log)
        assert count_frames(output) > 10
        for written in (log.read_bytes(), output.read_bytes()):
            assert b"s3cret" not in written

    @pytest.mark.parametrize("source", ["stream", "pipe"])
    def test_while_a_source_hangs_the_window_and_ctrl_c_do_not(self, source: str, still_picture: Image, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with network_camera([still_picture]) as camera, open_desktop() as desktop:
            camera.silent = True
            address = camera.address if source == "stream" else str(tmp_path / "pipe")
            with started("live", "--source", address, changes={"DISPLAY": desktop.name}) as process:
                wait_until(lambda: desktop.window("emodetect"), "the window")
                desktop.quit("emodetect", process)
                assert end(process) == ""
            assert process.returncode == 0
            with started("live", "--source", address, "--no-window") as process:
                wait_until(lambda: handles_signals(process.pid), "the handlers")
                process.send_signal(signal.SIGINT)
                assert end(process).strip() == "emodetect: interrupted"
            assert process.returncode == 130


def stands_still(log: Path) -> bool:
    """Whether nothing is added in half a second."""
    before = len(log_lines(log))
    time.sleep(0.5)
    return len(log_lines(log)) == before


def widths(log: Path) -> list[int]:
    """How wide the faces are in a log whose last line may be half there."""
    records = [json.loads(line) for line in (log.read_text() if log.exists() else "").split("\n")[:-1]]
    return [face["box"]["width"] for record in records for face in record["faces"]]


def differs(first: Image, second: Image) -> bool:
    """Whether the middle of the window shows something else."""
    return first.shape != second.shape or bool((first[60:200, 150:450] != second[60:200, 150:450]).mean() > 0.2)


def has_banner(screen: Image) -> bool:
    """Whether there is a dark bar near the lower edge of the picture, which is light."""
    place = slice(screen.shape[0] - 22, screen.shape[0] - 6), slice(screen.shape[1] // 2 - 50, screen.shape[1] // 2 + 50)
    return bool((screen[place].max(axis=2) < 90).mean() > 0.5)
