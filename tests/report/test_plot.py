from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emodetect.drawing.palette import COLORS, ON_PAPER
from emodetect.errors import OutputError
from emodetect.report.plot import plot_timeline
from emodetect.report.timeline import Timeline
from emodetect.sources.images import read_image
from emodetect.types import Emotion
from tests.builders import make_reading, make_result, small_disk
from tests.drawing.test_lettering import NAME, captions_for


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
    centers = {}
    for emotion in (Emotion.HAPPY, Emotion.SAD):
        rows, columns = np.nonzero(np.abs(picture - COLORS[emotion]).sum(axis=2) < 6)
        assert len(rows) > 500
        centers[emotion] = rows.mean(), columns.mean()
    assert centers[Emotion.HAPPY][0] < centers[Emotion.SAD][0], "happy stands over sad"
    assert centers[Emotion.HAPPY][1] < centers[Emotion.SAD][1] - 300, "happy comes before sad"


def test_the_plot_is_light_neutral_is_gray_and_times_are_round(tmp_path: Path) -> None:
    timeline = Timeline()
    for index in range(17):
        timeline.add(make_result(make_reading(dominant=Emotion.NEUTRAL, confidence=0.9), index=index, timestamp=float(index)))
    plot_timeline(timeline, "clip.mp4", tmp_path / "plot.png")
    plot_timeline(timeline, "clip.mp4", tmp_path / "plot.svg")

    picture = read_image(tmp_path / "plot.png")
    gray = (picture == ON_PAPER[Emotion.NEUTRAL]).all(axis=2)
    assert gray.mean() > 0.12
    assert (picture == 255).all(axis=2).mean() > 0.3
    assert (picture < 60).all(axis=2).mean() < 0.05, "no dark ground"
    labels = [line.strip()[5:-4] for line in (tmp_path / "plot.svg").read_text().splitlines() if line.strip().startswith("<!-- ")]
    assert labels[:5] == ["0", "5", "10", "15", "seconds"]


def test_an_hour_has_minutes_below_and_says_how_to_read_it(tmp_path: Path) -> None:
    timeline = Timeline()
    for index in range(3600):
        reading = make_reading(dominant=Emotion.HAPPY if index % 4 < 2 else Emotion.SAD, uncertain=index % 3 == 0)
        timeline.add(make_result(reading, index=index, timestamp=float(index)))
    plot_timeline(timeline, "clip.mp4", tmp_path / "plot.svg")

    text = (tmp_path / "plot.svg").read_text()
    for label in ("10:00", "50:00", "1:00:00", "height: confidence; hatched: uncertain"):
        assert f"<!-- {label}" in text
    assert "<!-- seconds -->" not in text
    assert text.count('id="FillBetweenPolyCollection') + text.count('id="PolyCollection') <= 4, "short runs are summed up"


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


def title_of(path: Path) -> np.ndarray[Any, Any]:
    """The plot's uppermost lines."""
    return read_image(path)[:30]


def test_the_name_is_written_in_its_own_letters(tmp_path: Path) -> None:
    """Names of as many letters look alike where these are boxes."""
    other = "나족 京東の北京 Ωé.jpg"
    style, _ = captions_for("en", NAME + other)
    for number, name in enumerate((NAME, other)):
        plot_timeline(make_timeline(1), name, tmp_path / f"{number}.png", style=style)

    assert (title_of(tmp_path / "0.png") != title_of(tmp_path / "1.png")).any()


def test_the_words_are_those_of_the_language(tmp_path: Path) -> None:
    style = captions_for("ko")[0]
    for language in ("en", "ko"):
        plot_timeline(make_timeline(2), "a.mp4", tmp_path / f"{language}.svg", style=replace(style, language=language))

    texts = {language: (tmp_path / f"{language}.svg").read_text() for language in ("en", "ko")}
    for korean, english in (("행복 50%", "happy 50%"), ("인물 2", "person 2"), ("초", "seconds")):
        # Letters are drawn as outlines, before which the file says what they are.
        assert f"<!-- {english} -->" in texts["en"]
        assert f"<!-- {korean} -->" in texts["ko"]


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_other_kinds_of_files_take_the_letters_too(tmp_path: Path, kind: str) -> None:
    style, _ = captions_for("ja")
    plot_timeline(make_timeline(0), NAME, tmp_path / f"a.{kind}", style=style)

    assert (tmp_path / f"a.{kind}").stat().st_size > 3000
