"""Nothing leaves the machine: the commands work where there is no network, and open no connection where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from emodetect.types import Image
from tests.builders import PHOTO, MovingClip
from tests.cli.mjpeg import serve_mjpeg
from tests.cli.rtsp import rtsp_camera
from tests.cli.running import TIMEOUT, assert_one_line, command, command_line, environment, run
from tests.sources.servers import answering, redirect, saying
from tests.training.data_sets import write_data_set
from tests.waiting import wait_until

WATCHED = """
import os, sys

FAMILIES = {2: "IPv4", 10: "IPv6", 17: "packets"}

def watch(event, arguments):
    # getaddrinfo and the like ask a name server; sockets of other families (X11's, for one) stay on the machine.
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        report(event)
    if event == "socket.connect" and int(arguments[0].family) in FAMILIES:
        report(event)

def report(event):
    os.write(2, f"NETWORK {event}\\n".encode())
    os._exit(99)

sys.addaudithook(watch)
sys.argv[0] = "emodetect"
from emodetect.cli.main import main
main()
"""
"""The program with a hook that ends it at the first thing that could reach another machine."""


@lru_cache
def without_interfaces() -> tuple[str, ...]:
    """What to put before a command so that it runs in a network namespace of its own, in which there is not even a loopback."""
    unshare = shutil.which("unshare")
    for start in (["-n"], ["-r", "-n"]):
        if unshare and subprocess.run([unshare, *start, "true"], capture_output=True, check=False).returncode == 0:
            return (unshare, *start)
    pytest.skip("this machine lets nobody make a network namespace (unshare -n)")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven labeled pictures."""
    return write_data_set(tmp_path_factory.mktemp("network"), train=1, test=1) / "test"


@pytest.fixture(params=["help", "image", "video", "live", "bench", "evaluate"])
def arguments(request: pytest.FixtureRequest, moving_clip: MovingClip, faces: Path, tmp_path: Path) -> list[str]:
    """Every command that works with the embedded network alone."""
    clip = str(moving_clip.path)
    lines: dict[str, list[object]] = {
        "help": ["--help"],
        "image": ["image", PHOTO, "--format", "json", "--output", tmp_path / "a.png"],
        "video": ["video", clip, "--output", tmp_path / "a.mp4", "--log", tmp_path / "a.csv"],
        "live": ["live", "--source", clip, "--no-window", "--duration", "2", "--log", tmp_path / "a.jsonl"],
        "bench": ["bench", "--source", clip, "--frames", "3", "--rounds", "1", "--format", "json"],
        "evaluate": ["evaluate", "--data", faces, "--format", "json"],
    }
    return [str(argument) for argument in lines[request.param]]


def test_every_command_works_without_a_network_and_opens_no_connection(arguments: list[str]) -> None:
    line = [*without_interfaces(), sys.executable, "-c", WATCHED, *arguments]
    env = environment({"DISPLAY": None})
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    if "json" in arguments:
        assert json.loads(done.stdout)


def test_the_watch_sees_a_connection() -> None:
    """Otherwise the test above could not fail; OpenCV's own connections are native and are seen by the namespace alone."""
    script = WATCHED.replace("from emodetect.cli.main import main", "import socket").replace(
        "main()\n", "socket.create_connection(('127.0.0.1', 9), 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 99
    assert "NETWORK" in done.stderr


def test_the_namespace_has_no_way_out() -> None:
    script = "import socket; print([name for _, name in socket.if_nameindex() if name != 'lo'])"
    line = [*without_interfaces(), sys.executable, "-c", script]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def commands_below(pid: int) -> Iterator[bytes]:
    """The command lines of a process's children and theirs, as `ps` shows them to everybody."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended meanwhile
            for child in map(int, task.read_text().split()):
                yield command_line(child)
                yield from commands_below(child)


def test_the_password_of_a_stream_is_in_nothing_that_is_written(photo: Image, tmp_path: Path) -> None:
    log, recording = tmp_path / "a.jsonl", tmp_path / "a.mp4"
    with serve_mjpeg([np.ascontiguousarray(photo)]) as address:
        source = address.replace("http://", "http://admin:s3cret@") + "?token=s3cret"
        line = command("live", "--source", source, "--no-window", "--log", log, "--record", recording)
        with subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE) as process:
            commands: list[bytes] = []

            def works() -> bool:
                # A child has its parent's command line until it runs its own program.
                own = command_line(process.pid)
                commands.extend(one for one in commands_below(process.pid) if one != own)
                encodes = any(b"libx264" in one for one in commands)
                return encodes and recording.exists() and log.exists() and log.stat().st_size > 0

            wait_until(works, "the encoder, pictures and readings")
            process.terminate()
            _, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 143, errors
    for written in (log.read_bytes(), recording.read_bytes(), errors, *commands):
        assert b"s3cret" not in written


def test_a_stream_leads_to_another_host_only_where_that_is_allowed(photo: Image, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    options = ("--no-window", "--duration", "2", "--log", log)
    with serve_mjpeg([np.ascontiguousarray(photo)]) as elsewhere, answering(saying(redirect(elsewhere))) as server:
        refused = run("live", "--source", server.address("/?token=s3cret"), *options)
        assert not log.exists()
        followed = run("live", "--source", server.address(), "--follow-redirects", *options)

    assert_one_line(refused, 1, f"the server sends viewers on to {elsewhere.rpartition('/')[0]}/...", "--follow-redirects")
    assert "s3cret" not in refused.stderr
    assert followed.returncode == 0, followed.stderr
    assert log.read_text()


def test_what_ffmpeg_says_of_a_stream_shows_no_password(tmp_path: Path) -> None:
    """A server that refuses: FFmpeg then has something to say, and would say it on its own."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            source = f"http://admin:s3cret@127.0.0.1:{server.server_address[1]}/s3cret.mjpg"
            done = run("live", "--source", source, "--no-window")
        finally:
            server.shutdown()
            thread.join()

    assert_one_line(done, 1, "the stream cannot be opened")
    assert "s3cret" not in done.stderr


def test_a_wrong_password_for_rtsp_is_not_shown(photo: Image) -> None:
    with rtsp_camera(photo, "admin", "s3cret") as camera:
        done = run("live", "--source", camera.address.replace("rtsp://", "rtsp://admin:wr0ng@"), "--no-window")

    assert_one_line(done, 1, "rtsp://127.0.0.1:", "the stream cannot be opened")
    assert "wr0ng" not in done.stderr
