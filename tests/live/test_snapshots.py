from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from emodetect.drawing.style import Style
from emodetect.live.snapshots import Snapshots, time_stamped
from emodetect.live.view import View
from emodetect.types import Image
from tests.builders import make_image


def test_a_picture_is_saved_as_it_is(tmp_path: Path, photo: Image) -> None:
    view = View()
    with closing(Snapshots(tmp_path, view)) as snapshots:
        snapshots.save(photo)
    [path] = tmp_path.iterdir()
    assert re.fullmatch(r"emodetect-\d{8}-\d{6}-\d{3}\.png", path.name)
    saved = cv2.imread(str(path))
    assert saved is not None
    assert (saved == photo).all()
    assert snapshots.saved == 1
    assert view.notices(Style()) == [f"saved {path.name}"]


def test_pictures_of_one_moment_have_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.live.snapshots.time_stamped", lambda suffix: Path(f"now{suffix}"))
    (tmp_path / "now-2.png").write_text("the user's")
    with closing(Snapshots(tmp_path, View())) as snapshots:
        for shade in (10, 20, 30):
            snapshots.save(make_image(color=(shade, shade, shade)))
    assert snapshots.saved == 3
    assert (tmp_path / "now-2.png").read_text() == "the user's"
    shades = [cv2.imread(str(tmp_path / name)) for name in ("now.png", "now-3.png", "now-4.png")]
    assert [int(image[0, 0, 0]) for image in shades if image is not None] == [10, 20, 30]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_picture_that_cannot_be_saved_is_told_in_the_window_and_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    view, folder = View(), tmp_path / "folder"
    with closing(Snapshots(folder, view)) as snapshots:
        snapshots.save(make_image())
    folder.mkdir()
    assert snapshots.saved == 0
    [notice] = view.notices(Style())
    assert re.fullmatch(r"emodetect-\d{8}-\d{6}-\d{3}\.png cannot be written; the terminal says why", notice)
    [warning] = caplog.messages
    assert warning.startswith(str(folder))
    assert "No such file or directory" in warning


def test_names_sort_by_time() -> None:
    names: list[str] = []
    while len(set(names)) < 3:
        names.append(str(time_stamped(".mp4")))
    assert names == sorted(names)
