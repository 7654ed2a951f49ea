from __future__ import annotations

import json
import re
from dataclasses import dataclass

import cv2
import cv2_enumerate_cameras
import pytest
from click.testing import CliRunner

from emodetect.cli.commands.cameras import cameras
from emodetect.errors import SourceError
from emodetect.sources.camera import LiveSource
from emodetect.sources.camera_list import Camera, cameras_named, list_cameras
from tests.cli.running import run


@dataclass
class Info:
    """What cv2-enumerate-cameras says of a camera."""

    index: int
    name: str


NAMES = ["Integrated Camera", "USB Camera", "USB Camera HD"]


class FakeCapture:
    """A camera that gives two sizes, or is in use."""

    def __init__(self, number: int) -> None:
        self._open = number != cv2.CAP_V4L2 + 1
        self._size: dict[int, float] = {}

    def isOpened(self) -> bool:
        return self._open

    def set(self, key: int, value: float) -> None:
        self._size[key] = value

    def get(self, key: int) -> float:
        small, large = {cv2.CAP_PROP_FRAME_WIDTH: (640, 1280), cv2.CAP_PROP_FRAME_HEIGHT: (480, 720)}[key]
        return large if self._size[cv2.CAP_PROP_FRAME_WIDTH] >= 1280 else small

    def release(self) -> None: ...


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cameras on Linux; GStreamer names them again, as it does."""
    found = [Info(index, name) for index, name in enumerate(NAMES)]
    monkeypatch.setattr(cv2_enumerate_cameras, "supported_backends", (cv2.CAP_GSTREAMER, cv2.CAP_V4L2))
    monkeypatch.setattr(cv2_enumerate_cameras, "enumerate_cameras", lambda backend: found[::-1])
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)


@pytest.mark.usefixtures("three")
def test_each_camera_is_listed_once_by_number() -> None:
    expected = [Camera(index, name, "V4L2", cv2.CAP_V4L2 + index) for index, name in enumerate(NAMES)]
    assert list_cameras() == expected


@pytest.mark.usefixtures("three")
def test_the_command_shows_sizes_and_which_camera_cannot_be_opened() -> None:
    shown = CliRunner().invoke(cameras, [], catch_exceptions=False)
    data = json.loads(CliRunner().invoke(cameras, ["--format", "json"], catch_exceptions=False).stdout)

    assert re.split("  +", shown.stdout.splitlines()[1]) == ["0", "Integrated Camera", "V4L2", "640x480, 1280x720"]
    assert "cannot be opened" in shown.stdout.splitlines()[2]
    assert data[0] == {"index": 0, "name": "Integrated Camera", "backend": "V4L2", "sizes": [[640, 480], [1280, 720]]}
    assert data[1]["sizes"] == []


def test_without_a_camera_there_is_one_line_and_no_error() -> None:
    if list_cameras():
        pytest.skip("this machine has a camera")
    shown, data = run("cameras"), run("cameras", "--format", "json")

    assert (shown.returncode, data.returncode) == (0, 0)
    assert len(shown.stdout.splitlines()) == 1
    assert "no camera found" in shown.stdout
    assert json.loads(data.stdout) == []


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("text", "index"), [("integrated", 0), ("usb camera", 1), ("HD", 2), ("Integrated Camera", 0)])
def test_a_source_may_be_part_of_a_name(text: str, index: int) -> None:
    source = LiveSource.parse(text)

    assert (source.kind, source.target, source.name) == ("camera", cv2.CAP_V4L2 + index, f"{index} ({NAMES[index]})")


@pytest.mark.usefixtures("three")
def test_a_part_of_several_names_lists_them() -> None:
    with pytest.raises(SourceError, match=r"usb: the name of several cameras: 1 \(USB Camera\), 2 \(USB Camera HD\)"):
        LiveSource.parse("usb")


@pytest.mark.usefixtures("three")
def test_a_name_that_is_near_is_proposed() -> None:
    with pytest.raises(SourceError, match=r"Integratd Camra: no such file.*did you mean 'Integrated Camera'\?"):
        LiveSource.parse("Integratd Camra")


def test_a_camera_that_two_backends_read_is_one() -> None:
    both = [Camera(0, "Webcam", "DirectShow", 700), Camera(0, "Webcam", "Media Foundation", 1400)]
    twins = [Camera(0, "Webcam", "V4L2", 200), Camera(1, "Webcam", "V4L2", 201)]

    assert cameras_named("webcam", both) == both[:1]
    assert cameras_named("webcam", twins) == twins
