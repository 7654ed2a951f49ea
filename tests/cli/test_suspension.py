"""A program that is stopped and continued (Ctrl-Z and fg) goes on: time in which it cannot do anything does not count."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from emodetect.sources.camera import FIRST_PICTURE_SECONDS, STALL_SECONDS
from emodetect.types import Image
from tests.builders import MovingClip, make_background, place_face
from tests.cli.mjpeg import network_camera
from tests.cli.rtsp import rtsp_camera
from tests.cli.running import end, log_lines, run, started
from tests.cli.test_faults import whole_records
from tests.waiting import wait_until

LONG = STALL_SECONDS + 1
"""Seconds that are more than a source may be without a picture."""


@pytest.fixture(scope="module")
def still_picture() -> Image:
    return place_face(make_background((320, 240)), (150.0, 120.0), 90.0)[0]


@contextmanager
def stopped(process: subprocess.Popen[str], seconds: float = LONG) -> Iterator[None]:
    """Stopped, for so long at least."""
    process.send_signal(signal.SIGSTOP)
    yield
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def goes_on(process: subprocess.Popen[str], log: Path) -> None:
    seen = len(log_lines(log))
    wait_until(lambda: len(log_lines(log)) > seen + 20 or process.poll() is not None, "more readings")
    assert process.poll() is None, end(process)


def finish(process: subprocess.Popen[str], log: Path) -> None:
    process.terminate()
    assert end(process) == ""
    assert process.returncode == 143
    times = [record["time"] for record in whole_records(log)]
    assert times == sorted(times)
    assert max(after - before for before, after in pairwise(times)) < LONG  # the time stood still


@pytest.mark.parametrize("camera", [network_camera, rtsp_camera])
@pytest.mark.parametrize("loses", [False, True], ids=["a stream that goes on", "a server that hangs up meanwhile"])
def test_live(camera: object, loses: bool, still_picture: Image, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    pictures = [still_picture] if camera is network_camera else still_picture
    with (
        camera(pictures) as server,  # type: ignore[operator]
        started("live", "--source", server.address, "--no-window", "--log", log) as process,
    ):
        wait_until(lambda: len(log_lines(log)) > 10, "readings")
        with stopped(process):
            if loses:
                server.stop()
                server.start()
        goes_on(process, log)
        finish(process, log)


def test_while_it_reconnects(still_picture: Image, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    with (
        network_camera([still_picture]) as server,
        started("live", "--source", server.address, "--no-window", "--log", log, "--reconnect", "3") as process,
    ):
        wait_until(lambda: len(log_lines(log)) > 10, "readings")
        server.stop()
        time.sleep(0.5)
        with stopped(process):
            server.start()
        goes_on(process, log)
        finish(process, log)


def test_before_the_first_picture(still_picture: Image, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    with network_camera([still_picture]) as server:
        server.silent = True
        with started("live", "--source", server.address, "--no-window", "--log", log) as process:
            time.sleep(2)  # until it waits
            with stopped(process, FIRST_PICTURE_SECONDS + 1):
                server.silent = False
                server.stop()  # ends the connections that are silent
                server.start()
            goes_on(process, log)
            finish(process, log)


def test_the_duration_counts_only_time_in_which_it_runs(still_picture: Image, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    with (
        network_camera([still_picture]) as server,
        started("live", "--source", server.address, "--no-window", "--log", log, "--duration", "3") as process,
    ):
        wait_until(lambda: bool(log_lines(log)), "readings")
        with stopped(process):
            pass
        said = re.search(r" frames in (\d+\.\d) s; ", end(process))
    assert said is not None
    assert 3.0 <= float(said[1]) < 3.0 + LONG
    assert process.returncode == 0


def test_video(moving_clip: MovingClip, tmp_path: Path) -> None:
    once, stop = tmp_path / "once.jsonl", tmp_path / "stopped.jsonl"
    assert run("video", moving_clip.path, "--log", once).returncode == 0
    with started("video", moving_clip.path, "--log", stop, "--output", tmp_path / "a.mp4") as process:
        wait_until(lambda: len(log_lines(stop)) > 10, "readings")
        with stopped(process):
            pass
        end(process)
    assert process.returncode == 0
    assert stop.read_text() == once.read_text()
