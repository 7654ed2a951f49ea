from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from emodetect.drawing import fonts
from emodetect.drawing.fonts import find_font, find_fonts, shipped_font
from emodetect.drawing.languages import NAMES, WORDS
from emodetect.drawing.lettering import FallbackLettering, FontLettering, draw_tag, tag_size
from emodetect.drawing.palette import BLACK, WHITE
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style, find_style, with_letters_for
from emodetect.errors import SourceError
from emodetect.types import Emotion
from tests.builders import PHOTO, make_image

GROUND = (40, 80, 120)


@cache
def style_for(language: str) -> Style:
    """A language's style; skips the test where no font has its letters."""
    style = find_style(language)
    if style is None:
        pytest.skip(f"no font here has the letters of {NAMES[language]} (Debian: fonts-dejavu-core, fonts-noto-cjk)")
    return style


def latin_font() -> Path:
    """A font without Korean letters."""
    paths = [path for folder in fonts._folders() for path in folder.rglob("DejaVuSans.ttf")]
    if not paths:
        pytest.skip("DejaVu Sans is not installed (Debian: fonts-dejavu-core)")
    return paths[0]


@pytest.mark.parametrize("unit", [9.0, 13.0, 51.0])
@pytest.mark.parametrize("language", list(WORDS))
def test_letters_stay_on_their_tag(language: str, unit: float) -> None:
    style = style_for(language)
    phrases = (phrase.text(language).translate({ord("{"): None, ord("}"): None}) for phrase in Phrase)
    # The smallest letters are for pictures as wide as a word, in which there is nothing else to read.
    for word in (*WORDS[language].values(), *(phrases if unit > 9 else ())):
        text = f"12: {word} 100%"
        width, height = tag_size(style.lettering, text, unit)
        canvas = make_image(width + 40, height + 40, GROUND)
        draw_tag(canvas, style.lettering, text, (20, 20), unit, WHITE)
        assert (canvas[20 : 20 + height, 20 : 20 + width] < 100).all(axis=-1).sum() > 2 * (width + height)
        canvas[20 : 20 + height, 20 : 20 + width] = GROUND
        assert (canvas == GROUND).all()
        # Nor do they reach the tag's own rim.
        tag = make_image(width, height, WHITE)
        draw_tag(tag, style.lettering, text, (0, 0), unit, WHITE)
        rim = np.concatenate([tag[1], tag[-2], tag[1:-1, 1], tag[1:-1, -2]])
        assert (rim > 100).mean() > 0.9


@pytest.mark.parametrize("language", ["ko", "ja", "zh", "es", "de", "fr"])
def test_a_language_is_written_in_its_own_letters(language: str) -> None:
    style = style_for(language)
    pictures = set()
    for emotion in Emotion:
        canvas = make_image(200, 40, WHITE)
        style.lettering.write(canvas, style.name(emotion), (10, 28), 20, BLACK)
        pictures.add(canvas.tobytes())
        missing = make_image(200, 40, WHITE)
        style.lettering.write(missing, "\U0010ffff" * len(style.name(emotion)), (10, 28), 20, BLACK)
        assert (canvas != missing).any()
    assert len(pictures) == len(Emotion)
    assert style.name(None) == WORDS[language]["uncertain"]


@pytest.mark.parametrize("language", ["en", "es", "de", "fr"])
def test_latin_letters_need_no_font_of_the_system(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_from_fontconfig", lambda pattern: [])
    monkeypatch.setattr(fonts, "_folders", list)
    style = find_style(language)
    assert style is not None
    assert style.lettering is shipped_font() is Style().lettering


def test_a_named_font_is_taken() -> None:
    named = find_style("en", latin_font())
    assert named is not None
    assert isinstance(named.lettering, FontLettering)
    assert named.lettering.path == latin_font()


def test_a_font_without_the_letters_is_not_taken() -> None:
    font = latin_font()
    assert FontLettering(font).covers("Überraschung 100%")
    assert not FontLettering(font).covers("분노")
    assert find_style("ko", font) is None
    assert find_style("de", font) is not None


@pytest.mark.parametrize("path", [Path("none.ttf"), PHOTO])
def test_a_font_file_that_is_none_is_an_error(path: Path) -> None:
    with pytest.raises(SourceError, match=path.name):
        find_style("de", path)


def test_without_fontconfig_the_systems_folders_are_searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    font = latin_font()
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "DejaVuSans.TTF".lower()).write_text("no font")
    monkeypatch.setattr(fonts, "_folders", lambda: [tmp_path])
    assert find_font("de", "Ü") is None
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "Arial.ttf").write_bytes(font.read_bytes())
    assert find_font("de", "Ü") is not None
    assert find_font("ko", "분") is None


def test_words_are_rendered_once() -> None:
    lettering = FontLettering(latin_font())
    for _ in range(5):
        lettering.write(make_image(200, 40), "Überraschung", (10, 28), 20, WHITE)
    facts = lettering._rendered.cache_info()
    assert (facts.misses, facts.hits) == (1, 4)


@pytest.mark.parametrize("origin", [(-30, 20), (190, 20), (50, 2), (50, 60), (500, 500)])
def test_letters_beyond_the_picture_are_cut(origin: tuple[int, int]) -> None:
    canvas = make_image(200, 40, GROUND)
    FontLettering(latin_font()).write(canvas, "Überraschung", origin, 20, WHITE)
    assert canvas.shape == (40, 200, 3)


def test_letters_have_their_color() -> None:
    canvas = make_image(200, 60, (10, 20, 30))
    FontLettering(latin_font()).write(canvas, "HHHH", (10, 48), 40, (200, 150, 100))
    assert (canvas == (200, 150, 100)).all(axis=-1).any()
    assert canvas[..., 0].min() >= 10
    assert canvas[..., 0].max() <= 200


def test_text_is_shortened_to_its_room() -> None:
    lettering = shipped_font()
    whole = lettering.width("loading the model", 13)
    assert lettering.shortened("loading the model", 13, whole) == "loading the model"
    short = lettering.shortened("loading the model", 13, whole - 1)
    assert short.startswith("loading the")
    assert short.endswith("...")
    assert lettering.width(short, 13) < whole
    assert lettering.shortened("loading the model", 13, 2) == ""


NAME = "가족 東京の北京 Ωé.jpg"
"""What no font that is made for one alphabet can write."""


def captions_for(language: str, name: str = NAME) -> tuple[Style, str]:
    """What writes captions; skips the test where no font has the letters."""
    style, missing = with_letters_for(style_for(language), [name])
    if missing:
        pytest.skip(f"no font here has the letters {missing} (Debian: fonts-noto-cjk)")
    return style, missing


@pytest.mark.parametrize("language", ["en", "ko"])
def test_captions_take_each_letter_from_a_font_that_has_it(language: str) -> None:
    style, _ = captions_for(language)
    assert isinstance(style.lettering, FallbackLettering)
    assert len(style.lettering.fonts) > 1
    assert style.language == language
    width = style.lettering.width(NAME, 20)
    canvas, box = make_image(width + 20, 40, WHITE), make_image(width + 20, 40, WHITE)
    style.lettering.write(canvas, NAME, (10, 28), 20, BLACK)
    shipped_font().write(box, NAME, (10, 28), 20, BLACK)
    assert (canvas != box).any()
    columns = np.flatnonzero((canvas < 128).any(axis=(0, 2)))
    assert 10 <= columns[0] < 15
    assert width + 5 < columns[-1] < width + 11


def test_letters_that_no_font_has_are_named_and_drawn_as_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_folders", list)
    monkeypatch.setattr(fonts, "_from_fontconfig", lambda pattern: [])
    style, missing = with_letters_for(Style(), [NAME, "日本 한국"])
    assert missing == "".join(sorted({*"가족東京の北日本한국"}))
    canvas = make_image(300, 40, WHITE)
    style.lettering.write(canvas, NAME, (10, 28), 20, BLACK)
    assert (canvas < 128).any()


def test_a_font_that_adds_nothing_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = latin_font()
    monkeypatch.setattr(fonts, "_from_fontconfig", lambda pattern: [(tmp_path / "none.ttf", 0), (path, 0), (path, 0)])
    monkeypatch.setattr(fonts, "_folders", list)
    assert find_fonts("ko", "가") == []
    assert [font.path for font in find_fonts("ko", "Ü가")] == [path]


def test_space_needs_no_letter() -> None:
    font = FontLettering(latin_font())
    assert font.covers(" \u3000\u00a0")
    canvas = make_image(100, 40, GROUND)
    font.write(canvas, "   ", (10, 28), 20, WHITE)
    assert (canvas == GROUND).all()
