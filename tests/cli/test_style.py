from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.cli.factories import make_caption_style, make_style
from emodetect.drawing import fonts
from emodetect.drawing.contact_sheet import ContactSheet
from emodetect.drawing.languages import NAMES, WORDS
from emodetect.drawing.overlay import Style, draw
from emodetect.drawing.style import find_style
from emodetect.types import Box, Emotion, EmotionScores, FaceReading, Image
from tests.builders import PHOTO, MovingClip
from tests.cli.running import assert_one_line, run
from tests.drawing.test_lettering import NAME, captions_for, latin_font


def read_back(data: str) -> list[FaceReading]:
    """What the data of one photo says."""
    [record] = json.loads(data)
    readings = []
    for number, face in enumerate(record["faces"], start=1):
        values = np.asarray([face["scores"][emotion.value] for emotion in Emotion], np.float32)
        readings.append(FaceReading(Box(**face["box"]), number, EmotionScores(values), face["uncertain"]))
    return readings


def redrawn(photo: Image, data: str, style: Style) -> Image:
    """The photo with what the data says drawn on it."""
    return draw(photo, read_back(data), style=style)


@pytest.mark.parametrize(
    ("arguments", "locale", "language"),
    [
        pytest.param(["--language", "ko"], "C.UTF-8", "ko", id="the option"),
        pytest.param([], "de_DE.UTF-8", "de", id="the locale"),
        pytest.param([], "C.UTF-8", "en", id="neither"),
    ],
)
def test_labels_are_in_the_language_asked_for_and_data_is_english(
    photo: Image, tmp_path: Path, arguments: list[str], locale: str, language: str
) -> None:
    style = find_style(language)
    if style is None:
        pytest.skip(f"no font here has the letters of {NAMES[language]} (Debian: fonts-noto-cjk, fonts-dejavu-core)")
    target = tmp_path / "a.png"

    done = run("image", PHOTO, *arguments, "--format", "json", "--output", target, env={"LC_ALL": locale, "LANGUAGE": None})

    assert (done.returncode, done.stderr) == (0, "")
    [face] = json.loads(done.stdout)[0]["faces"]
    assert face["emotion"] == "happy"
    assert list(face["scores"]) == list(Emotion)
    np.testing.assert_array_equal(cv2.imread(str(target)), redrawn(photo, done.stdout, style))


def test_without_the_letters_labels_are_english_and_one_line_says_so(photo: Image, tmp_path: Path) -> None:
    target = tmp_path / "a.png"

    done = run("image", PHOTO, "--language", "ja", "--font", latin_font(), "--format", "json", "--output", target)

    assert_one_line(done, 0, "Japanese", "English", "--font")
    np.testing.assert_array_equal(cv2.imread(str(target)), redrawn(photo, done.stdout, Style()))


def test_a_font_that_is_not_there(tmp_path: Path) -> None:
    done = run("image", PHOTO, "--font", tmp_path / "none.ttf", "--output", tmp_path / "a.png")

    assert_one_line(done, 1, "none.ttf", "font")


@pytest.mark.parametrize("command", ["image", "video", "live"])
def test_the_help_names_all_languages(command: str) -> None:
    assert f"[{'|'.join(WORDS)}]" in run(command, "--help").stdout


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_contact_sheet_has_names_and_words_in_their_letters(photo: Image, tmp_path: Path, language: str) -> None:
    style, _ = captions_for(language)
    named, sheet = tmp_path / NAME, tmp_path / "sheet.png"
    shutil.copy(PHOTO, named)

    done = run("image", named, "--language", language, "--format", "json", "--sheet", sheet)

    assert (done.returncode, done.stderr) == (0, "")
    expected = ContactSheet(1, style)
    expected.add(NAME, photo, read_back(done.stdout))
    np.testing.assert_array_equal(cv2.imread(str(sheet)), expected.image())


def test_a_plot_has_names_and_words_in_their_letters(moving_clip: MovingClip, tmp_path: Path) -> None:
    captions_for("zh")
    clip, plot = tmp_path / "北京.mp4", tmp_path / "plot.svg"
    shutil.copy(moving_clip.path, clip)

    done = run("video", clip, "--end", "0.5", "--language", "zh", "--plot", plot)

    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    for words in ("北京.mp4", "高兴 100%", "人物 1", "秒"):
        assert f"<!-- {words} -->" in plot.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "no font on this system has the letters 東 of the names"),
        ("ko", "letters for Korean, so labels are English"),
    ],
)
def test_without_the_letters_of_names_one_line_says_so(
    language: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fonts, "_folders", list)
    monkeypatch.setattr(fonts, "_from_fontconfig", lambda pattern: [])

    make_caption_style(make_style(language, None), language, ["a 東東.jpg", "b.jpg"])

    [line] = capsys.readouterr().err.splitlines()
    assert said in line
