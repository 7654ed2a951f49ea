from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import pytest

from emodetect.errors import SourceError
from emodetect.sources import camera
from emodetect.sources.camera import FIRST_PICTURE_SECONDS, STALL_SECONDS, LiveCapture, LiveSource
from emodetect.sources.capture_format import CaptureFormat, PictureSize
from emodetect.sources.video import VideoFile
from emodetect.types import Frame, Image
from tests.builders import PHOTO, make_image, write_clip
from tests.cli.mjpeg import NetworkCamera, network_camera
from tests.cli.rtsp import RtspCamera, rtsp_camera
from tests.cli.running import TIMEOUT
from tests.sources.servers import answering
from tests.waiting import wait_until

Camera: TypeAlias = NetworkCamera | RtspCamera

RED, BLUE = (0, 0, 200), (200, 0, 0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests wait a second where users wait 2.5."""
    monkeypatch.setattr(camera, "STALL_SECONDS", 1.0)


@contextmanager
def opened(source: str, *, reconnect: float = 0.0, loop: bool = False) -> Iterator[LiveCapture]:
    """A source that has given its first picture and runs."""
    with LiveCapture(LiveSource.parse(source), loop=loop, reconnect=reconnect) as capture:
        wait_until(lambda: capture.opened(0.1), "the first picture")
        capture.start()
        yield capture


def take(capture: LiveCapture) -> Frame:
    """The next frame, which must come."""
    frame = capture.frames.take(TIMEOUT)
    capture.raise_error()
    assert frame is not None
    return frame


def take_until(capture: LiveCapture, condition: Callable[[Frame], bool]) -> Frame:
    deadline = time.monotonic() + TIMEOUT
    while not condition(frame := take(capture)):
        assert time.monotonic() < deadline
    return frame


def is_blue(frame: Frame) -> bool:
    return bool(frame.image[..., 0].mean() > 150)


def assert_ends(capture: LiveCapture, message: str) -> None:
    wait_until(lambda: capture.frames.take(0.1) is None and capture.frames.finished, "the end")
    with pytest.raises(SourceError, match=message):
        capture.raise_error()


@pytest.fixture(params=["mjpeg", "rtsp"])
def server(request: pytest.FixtureRequest) -> Iterator[Camera]:
    picture = make_image(color=RED)
    with network_camera([picture]) if request.param == "mjpeg" else rtsp_camera(picture) as running:
        yield running


def stop(server: Camera) -> None:
    server.stop()


def hang(server: Camera) -> None:
    server.silent = True


def babble(server: Camera) -> None:
    server.garbage = True


def mend(server: Camera) -> None:
    server.silent = server.garbage = False
    server.stop()
    server.start()


FAILURES = pytest.mark.parametrize("fail", [stop, hang, babble])


def test_what_is_promised_of_times() -> None:
    assert STALL_SECONDS < 3
    assert camera._MAX_PAUSE <= 1  # so that a picture is back two seconds after its source
    assert FIRST_PICTURE_SECONDS <= 10


class TestStream:
    @FAILURES
    def test_a_stream_that_fails_ends_with_one_line(self, server: Camera, fail: Callable[[Camera], None]) -> None:
        with opened(server.address) as capture:
            take(capture)
            fail(server)
            assert_ends(capture, "the stream (gives no more pictures|has given no picture for 1 s)$")

    @FAILURES
    def test_it_goes_on_when_the_stream_is_back(self, server: Camera, fail: Callable[[Camera], None]) -> None:
        with opened(server.address, reconnect=TIMEOUT) as capture:
            first = take(capture)
            fail(server)
            wait_until(lambda: capture.frames.take(0) is None and capture.is_reconnecting, "the loss")
            assert capture.is_reconnecting
            server.show(make_image(96, 64, color=BLUE))
            mend(server)
            later = take_until(capture, is_blue)
            assert not capture.is_reconnecting
            assert later.image.shape == (64, 96, 3)
            assert later.index > first.index
            assert later.timestamp > first.timestamp

    def test_connections_that_hang_do_not_hold_up_a_new_one(self, server: Camera) -> None:
        with opened(server.address, reconnect=TIMEOUT) as capture:
            take(capture)
            server.silent = True
            wait_until(lambda: capture.is_reconnecting, "the loss")
            time.sleep(2)  # until all tries hang, whose connections stay silent for ever
            server.show(make_image(color=BLUE))
            server.silent = False
            take_until(capture, is_blue)

    @FAILURES
    def test_without_success_it_ends_with_one_line(self, server: Camera, fail: Callable[[Camera], None]) -> None:
        with opened(server.address, reconnect=1.5) as capture:
            take(capture)
            fail(server)
            assert_ends(capture, r"(http|rtsp)://127.0.0.1:\d+/...: the stream .*, and none within 1.5 s of trying to reconnect$")

    def test_another_size_in_mid_stream(self, server: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(camera, "STALL_SECONDS", TIMEOUT)  # nothing fails here
        with opened(server.address) as capture:
            take(capture)
            server.show(make_image(96, 64, color=BLUE))
            take_until(capture, is_blue)  # OpenCV brings it to the first picture's size
            assert not capture.is_reconnecting

    def test_a_stream_that_comes_back_too_large_is_refused(self, server: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "4000")
        with opened(server.address, reconnect=TIMEOUT) as capture:
            take(capture)
            server.stop()
            server.show(make_image(96, 64))
            server.start()
            assert_ends(capture, "pictures of 96 x 64 are more than 4000 pixels")

    def test_the_time_to_the_first_picture_is_limited(self, server: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(camera, "FIRST_PICTURE_SECONDS", 0.5)
        server.silent = True
        with LiveCapture(LiveSource.parse(server.address)) as capture, pytest.raises(SourceError, match=r"picture within 0.5 s"):
            wait_until(lambda: capture.opened(0.1), "the first picture")

    def test_closing_waits_for_no_try_to_reconnect(self, server: Camera) -> None:
        with opened(server.address, reconnect=TIMEOUT) as capture:
            take(capture)
            server.silent = True
            wait_until(lambda: capture.frames.take(0) is None and capture.is_reconnecting, "the loss")
        assert capture.frames.finished
        capture.raise_error()


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_never_more_than_three_tries_at_once(scheme: str) -> None:
    """Of a camera that takes connections and says nothing more: what was given up is let go of."""
    picture = cv2.imencode(".jpg", make_image())[1].tobytes()
    connections: list[int] = []

    def answer(request: bytes, viewer: socket.socket) -> None:
        connections.append(len(connections))
        if len(connections) == 1 and scheme == "http":
            viewer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n" + picture)
        else:
            viewer.recv(1)  # until the viewer hangs up

    with answering(answer) as server:
        if scheme == "http":
            with opened(server.address(), reconnect=12) as capture:
                wait_until(lambda: capture.is_reconnecting, "the loss")
                wait_until(lambda: len(connections) > 6, "more tries")
        else:
            source = LiveSource.parse(server.address("/", "rtsp"))
            capture = LiveCapture(source, reconnect=12)
            with capture, ThreadPoolExecutor(1) as pool:
                tries = pool.submit(capture._reconnected, 12.0)
                wait_until(lambda: len(connections) > 6, "more tries")
                capture._stopping.set()
                tries.result(TIMEOUT)
        assert server.max_open <= 4  # the first one may still be hanging up
        wait_until(lambda: server.open_now == 0, "the end of all connections")


class FakeCamera:
    """Stands in for `cv2.VideoCapture` on a camera: gives some pictures, then hangs or fails."""

    def __init__(self, color: tuple[int, int, int], count: int, *, hangs: bool) -> None:
        self._image, self._count, self._hangs = make_image(color=color), count, hangs
        self.wake, self.released = threading.Event(), threading.Event()

    def get(self, number: int) -> float:
        return 30.0 if number == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, Image | None]:
        time.sleep(0.005)
        if self._count:
            self._count -= 1
            return True, self._image
        if self._hangs:
            # Not woken, it ends with the tests; an error in a thread that was left behind would be another test's.
            return self.wake.wait(TIMEOUT), make_image(color=(0, 255, 0))
        return False, None

    def release(self) -> None:
        self.released.set()


def plug_in(monkeypatch: pytest.MonkeyPatch, *cameras: FakeCamera) -> None:
    """What opening the camera gives, time after time; nothing after the last."""
    waiting = iter(cameras)
    monkeypatch.setattr(camera, "_open_camera", lambda source, form: next(waiting, FakeCamera(RED, 0, hangs=False)))


class Device:
    """Stands in for a camera that gives large pictures as JPEG only, as over USB 2, and 15 frames per second at most."""

    def __init__(self, largest: tuple[int, int] = (1280, 720)) -> None:
        width, height, self._rate = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS
        self._limits = {width: largest[0], height: largest[1], self._rate: 15}
        self._set = {width: 640.0, height: 480.0, self._rate: 10.0}

    def isOpened(self) -> bool:
        return True

    def set(self, number: int, value: float) -> None:
        if value <= 640 or number == cv2.CAP_PROP_FOURCC or cv2.CAP_PROP_FOURCC in self._set:
            self._set[number] = min(value, self._limits.get(number, value))

    def get(self, number: int) -> float:
        return self._set[number]

    def read(self) -> tuple[bool, Image]:
        return True, make_image(int(self._set[cv2.CAP_PROP_FRAME_WIDTH]), int(self._set[cv2.CAP_PROP_FRAME_HEIGHT]))

    def release(self) -> None: ...


class TestFormat:
    @pytest.mark.parametrize(
        ("size", "rate", "largest", "told"),
        [
            ((1280, 720), None, (1280, 720), []),
            ((320, 240), 15, (1280, 720), []),
            ((1920, 1080), None, (1280, 720), ["camera 0: gives 1280x720 pixels instead of 1920x1080"]),
            (
                (800, 600), 30, (640, 480),
                ["camera 0: gives 640x480 pixels instead of 800x600 and 15 frames per second instead of 30"],
            ),
            (None, 15, (640, 480), []),
            (None, None, (640, 480), []),
        ],
    )  # fmt: skip
    def test_a_camera_is_asked_for_it_and_what_it_does_instead_is_told(
        self,
        size: tuple[int, int] | None,
        rate: float | None,
        largest: tuple[int, int],
        told: list[str],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(cv2, "VideoCapture", lambda target: Device(largest))
        form = CaptureFormat(PictureSize(*size) if size else None, rate)
        with LiveCapture(LiveSource(0, "camera"), form) as capture:
            assert capture.opened(TIMEOUT)
            capture.start()
            height, width = take(capture).image.shape[:2]
            assert capture.frames_per_second == (15 if rate else 10)
        assert (width, height) == tuple(map(min, size or (640, 480), largest))
        assert caplog.messages == told


class TestCamera:
    @pytest.mark.parametrize("hangs", [False, True])
    def test_a_camera_that_fails_ends_with_one_line(self, hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        plug_in(monkeypatch, FakeCamera(RED, 3, hangs=hangs))
        with opened("0") as capture:
            assert_ends(capture, "0: the camera (gives no more pictures|has given no picture for 1 s)$")

    def test_it_goes_on_when_it_is_plugged_in_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unplugged = [FakeCamera(RED, 0, hangs=False) for _ in range(3)]
        plug_in(monkeypatch, FakeCamera(RED, 3, hangs=False), *unplugged, FakeCamera(BLUE, 1000, hangs=False))
        with opened("0", reconnect=TIMEOUT) as capture:
            assert is_blue(take_until(capture, is_blue))
        assert all(one.released.is_set() for one in unplugged)

    def test_a_read_that_returns_too_late_brings_no_picture_and_lets_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stuck, good = FakeCamera(RED, 3, hangs=True), FakeCamera(BLUE, 100_000, hangs=False)
        plug_in(monkeypatch, stuck, good)
        with opened("0", reconnect=TIMEOUT) as capture:
            take_until(capture, is_blue)
            assert not stuck.released.is_set()
            stuck.wake.set()
            assert stuck.released.wait(TIMEOUT)
            assert all(is_blue(take(capture)) for _ in range(20))
        assert good.released.wait(TIMEOUT)

    def test_closing_leaves_a_read_that_never_returns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stuck = FakeCamera(RED, 3, hangs=True)
        plug_in(monkeypatch, stuck)
        monkeypatch.setattr(camera, "STALL_SECONDS", TIMEOUT)
        with opened("0") as capture:
            wait_until(lambda: capture.frames.take(0.1) is None, "the camera's end")
        assert capture.frames.finished
        assert not stuck.released.is_set()
        stuck.wake.set()
        assert stuck.released.wait(TIMEOUT)


class TestFile:
    def test_a_clip_plays_to_its_end(self, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "clip.mp4", [make_image()] * 5)
        with opened(str(clip)) as capture:
            wait_until(lambda: capture.frames.take(0.1) is None and capture.frames.finished, "the end")
            capture.raise_error()

    def test_a_photo_is_repeated_without_opening_it_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Opening it takes longer than a frame lasts."""
        openings: list[Path] = []

        def open_file(path: Path) -> VideoFile:
            openings.append(path)
            return VideoFile(path)

        monkeypatch.setattr(camera, "VideoFile", open_file)
        with opened(str(PHOTO), loop=True) as capture:
            frames = [take(capture) for _ in range(5)]

        assert openings == [PHOTO]
        assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
        assert all(np.array_equal(frame.image, frames[0].image) for frame in frames)

    def test_a_clip_starts_again(self, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "clip.mp4", [make_image()] * 3)
        with opened(str(clip), loop=True) as capture:
            assert take_until(capture, lambda frame: frame.index > 6).timestamp >= 7 / 25

    def test_a_pipe_that_nobody_writes_to_holds_up_nobody(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with LiveCapture(LiveSource.parse(str(pipe))) as capture:
            assert not capture.opened(0.2)
        pipe.open("wb").close()  # wakes the reader, so that it ends before the tests do

    def test_a_pipe_whose_writer_sleeps_ends_with_one_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(camera, "FIRST_PICTURE_SECONDS", 1.0)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        clip = write_clip(tmp_path / "clip.mkv", [np.asarray(make_image() + i, np.uint8) for i in range(100)])
        sleeping = threading.Event()

        def write() -> None:
            with pipe.open("wb") as file:
                file.write(clip.read_bytes()[:-200])
                file.flush()
                sleeping.wait(TIMEOUT)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with opened(str(pipe)) as capture:
                assert_ends(capture, "pipe: the file has given no picture for 1 s")
        finally:
            sleeping.set()
            writer.join()
