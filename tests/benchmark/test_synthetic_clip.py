from __future__ import annotations

from pathlib import Path

import pytest

from emodetect.api import stream
from emodetect.benchmark.synthetic_clip import PORTRAIT, write_synthetic_clip
from emodetect.faces.boxes import intersection_over_union
from emodetect.sources.video import VideoFile


@pytest.mark.parametrize(("size", "faces"), [((640, 360), 1), ((1280, 720), 8)])
def test_all_faces_of_the_made_clip_are_found_and_nothing_else(tmp_path: Path, size: tuple[int, int], faces: int) -> None:
    truth = write_synthetic_clip(tmp_path / "made.mp4", frames=15, size=size, faces=faces)

    shown = [[reading.box for reading in result.readings] for _, result in stream(tmp_path / "made.mp4")]
    for true, boxes in list(zip(truth, shown, strict=True))[2:]:
        assert len(true) == len(boxes) == faces
        assert (intersection_over_union(true, boxes) > 0.6).sum() == faces


def test_the_made_clip_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_synthetic_clip(tmp_path / name, frames=5)

    with VideoFile(tmp_path / "a.mp4") as clip:
        assert clip.size == (640, 360)
        assert clip.frames_per_second == 25
        assert len(list(clip)) == 5
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_portrait_is_there() -> None:
    assert PORTRAIT.is_file()
