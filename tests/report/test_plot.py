from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emodetect.errors import OutputError
from emodetect.overlay import COLORS
from emodetect.report.plot import plot_timeline
from emodetect.report.timeline import Timeline
from emodetect.sources.images import read_image
from emodetect.types import Emotion
from tests.builders import make_reading, make_result, small_disk


def make_timeline(people: int) -> Timeline:
    timeline = Timeline()
    for index in range(20):
        emotion = Emotion.HAPPY if index < 10 else Emotion.SAD
        readings = [make_reading(track_id=number, dominant=emotion) for number in range(1, people + 1)]
        timeline.add(make_result(*readings, index=index, timestamp=index / 10))
    return timeline


def test_bands_stand_where_the_emotions_were_read(tmp_path: Path) -> None:
    plot_timeline(make_timeline(1), "clip.mp4", tmp_path / "plot.png")

    picture = read_image(tmp_path / "plot.png").astype(int)
    centres = {}
    for emotion in (Emotion.HAPPY, Emotion.SAD):
        rows, columns = np.nonzero(np.abs(picture - COLORS[emotion]).sum(axis=2) < 6)
        assert len(rows) > 500
        centres[emotion] = rows.mean(), columns.mean()
    assert centres[Emotion.HAPPY][0] < centres[Emotion.SAD][0], "happy stands over sad"
    assert centres[Emotion.HAPPY][1] < centres[Emotion.SAD][1] - 300, "happy comes before sad"


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_full_disk_leaves_no_half_picture(tmp_path: Path, suffix: str) -> None:
    with small_disk(tmp_path / "disk", "size=4k") as disk:
        with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
            plot_timeline(make_timeline(1), "clip.mp4", disk / f"plot{suffix}")
        assert list(disk.iterdir()) == []


def test_a_folder_that_was_deleted_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"plot.png: cannot be written \(No such file or directory\)"):
        plot_timeline(make_timeline(1), "clip.mp4", tmp_path / "gone" / "plot.png")


@pytest.mark.parametrize("people", [0, 3, 40])
@pytest.mark.parametrize("name", ["$clip_^{.mp4", "\N{HANGUL SYLLABLE HAN}.mp4"])
def test_nobody_many_and_odd_names(tmp_path: Path, people: int, name: str) -> None:
    plot_timeline(make_timeline(people), name, tmp_path / "plot.png")

    assert read_image(tmp_path / "plot.png").shape[0] < 3000
