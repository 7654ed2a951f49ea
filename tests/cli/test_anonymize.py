"""What is saved with ``--anonymize`` shows no face, in any frame."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from emodetect.cli.group import cli
from emodetect.faces.haar import HaarDetector
from emodetect.sources.images import read_image
from emodetect.types import Box
from tests.builders import PHOTO, PHOTO_FACE, MovingClip
from tests.cli.running import assert_one_line, run
from tests.cli.test_video import read_video

FILL = 64


def middle(picture: np.ndarray[Any, Any], box: Box) -> np.ndarray[Any, Any]:
    """The inner part of a face, where nothing is drawn over it: eyes, nose and mouth."""
    left, top = box.x + box.width // 4, box.y + box.height // 4
    return picture[top : top + box.height // 2, left : left + box.width // 2].astype(int)


def count_faces(picture: np.ndarray[Any, Any]) -> int:
    return len(HaarDetector().detect(picture))


@pytest.mark.parametrize("method", ["blur", "box"])
def test_a_photo(tmp_path: Path, method: str) -> None:
    copy = tmp_path / "copy.png"

    done = run("image", PHOTO, "--output", copy, "--anonymize", method)

    assert done.returncode == 0, done.stderr
    assert "happy" in done.stdout
    assert count_faces(read_image(PHOTO)) == 1
    assert count_faces(read_image(copy)) == 0
    if method == "box":
        assert (middle(read_image(copy), PHOTO_FACE) == FILL).all()
    else:
        assert np.abs(np.diff(middle(read_image(copy), PHOTO_FACE), axis=0)).max() <= 4


def test_nothing_beside_the_picture_is_taken_along(tmp_path: Path) -> None:
    """A camera's thumbnail would show the face."""
    photo, copy = tmp_path / "photo.jpg", tmp_path / "copy.jpg"
    data = PHOTO.read_bytes()
    mark = b"Exif\0\0MARK"
    photo.write_bytes(data[:2] + b"\xff\xe1" + (len(mark) + 2).to_bytes(2, "big") + mark + data[2:])

    assert run("image", photo, "--output", copy, "--anonymize", "box").returncode == 0
    assert b"MARK" not in copy.read_bytes()


def test_every_frame_of_a_clip(moving_clip: MovingClip, tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"

    done = run("video", moving_clip.path, "--output", output, "--anonymize", "box")

    assert done.returncode == 0, done.stderr
    pictures = read_video(output)
    assert len(pictures) == len(moving_clip.boxes)
    for picture, box in zip(pictures, moving_clip.boxes, strict=True):
        assert np.abs(middle(picture, box) - FILL).mean() < 4


def pictures_in(page: str, kind: str) -> list[bytes]:
    """The files of a kind that a page holds."""
    return [base64.b64decode(text) for text in re.findall(f'"data:{kind};base64,([^"]*)"', page)]


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        pytest.param([], range(75), id="whole"),
        pytest.param(["--start", "1", "--end", "2.5", "--every", "2"], range(25, 63, 2), id="a part"),
    ],
)
def test_everything_that_a_report_shows(moving_clip: MovingClip, tmp_path: Path, options: list[str], frames: range) -> None:
    report, folder = tmp_path / "r.html", tmp_path / "temporary"
    folder.mkdir()

    done = run("video", moving_clip.path, *options, "--report", report, "--anonymize", "box", env={"TMPDIR": str(folder)})

    assert done.returncode == 0, done.stderr
    page = report.read_text()
    kinds = re.findall(r'"data:([a-z]+/[a-z0-9]+);base64', page)
    assert sorted(kinds) == ["image/jpeg", "video/mp4"], "the clip and a thumbnail"
    (clip,) = pictures_in(page, "video/mp4")
    (tmp_path / "shown.mp4").write_bytes(clip)
    pictures = read_video(tmp_path / "shown.mp4")
    assert len(pictures) == len(frames)
    for picture, number in zip(pictures, frames, strict=True):
        assert np.abs(middle(picture, moving_clip.boxes[number]) - FILL).mean() < 6
    (face,) = pictures_in(page, "image/jpeg")
    thumbnail = cv2.imdecode(np.frombuffer(face, np.uint8), cv2.IMREAD_COLOR)
    assert thumbnail is not None
    height, width = thumbnail.shape[:2]
    assert np.abs(middle(np.asarray(thumbnail), Box(0, 0, width, height)) - FILL).mean() < 4
    assert "yes (box)" in page
    assert list(folder.glob("emodetect-*")) == [], "nothing of ours is left behind"


def test_faces_outside_of_a_region_would_not_be_hidden(moving_clip: MovingClip, tmp_path: Path) -> None:
    done = run("video", moving_clip.path, "--roi", "0,0,50%,100%", "--output", tmp_path / "a.mp4", "--anonymize", "box")

    assert_one_line(done, 2, "--anonymize cannot be combined with --roi", "outside")


def test_every_frame_of_a_recording(moving_clip: MovingClip, tmp_path: Path) -> None:
    recording = tmp_path / "a.mp4"

    done = run(
        "live", "--source", moving_clip.path, "--no-window", "--record", recording, "--anonymize", "blur", env={"DISPLAY": None}
    )

    assert done.returncode == 0, done.stderr
    pictures = read_video(recording)
    assert pictures
    assert sum(count_faces(picture) for picture in pictures) == 0
    # The same detector finds it in nearly every frame of the clip itself.
    assert np.mean([count_faces(picture) for picture in read_video(moving_clip.path)[::8]]) > 0.8


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["image", PHOTO], "--output"),
        (["video", "a.mp4", "--log", "a.csv"], "--output or --report"),
        (["live", "--no-window"], "--record"),
    ],
    ids=["image", "video", "live"],
)
def test_there_must_be_something_to_hide(arguments: list[str | Path], option: str) -> None:
    assert_one_line(run(*arguments, "--anonymize", "box"), 2, f"--anonymize requires {option}")


@pytest.mark.parametrize("option", ["--min-face=90%", "--detector=haar --min-neighbors=500"])
def test_faces_that_are_not_read_are_hidden_too(tmp_path: Path, option: str) -> None:
    copy = tmp_path / "copy.png"

    done = run("image", PHOTO, *option.split(), "--output", copy, "--anonymize", "box")

    assert "no face found" in done.stdout
    assert (middle(read_image(copy), PHOTO_FACE) == FILL).all()


def test_a_picture_that_cannot_be_hidden_is_not_on_the_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("emodetect.drawing.anonymize.anonymize", fail)
    sheet = tmp_path / "sheet.png"

    done = CliRunner().invoke(cli, ["image", str(PHOTO), "--sheet", str(sheet), "--anonymize", "box"])

    assert "not enough memory" in done.output
    assert count_faces(read_image(sheet)) == 0
