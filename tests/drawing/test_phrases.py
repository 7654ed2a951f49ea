from __future__ import annotations

from dataclasses import asdict, fields
from string import Formatter

import pytest

from emodetect.drawing.languages import WORDS
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.live.keys import Command


def values_in(text: str) -> list[str]:
    """The names of the values that a text has, with how each is written."""
    return sorted(f"{name}:{how}" for _, name, how, _ in Formatter().parse(text) if name)


def test_each_phrase_is_there_in_each_language_with_the_same_values() -> None:
    for phrase in Phrase:
        texts = asdict(phrase.value)
        assert set(texts) == set(WORDS)
        assert all(text.strip() == text and text for text in texts.values()), phrase
        assert {tuple(values_in(text)) for text in texts.values()} == {tuple(values_in(texts["en"]))}, phrase


@pytest.mark.parametrize("language", list(WORDS))
def test_no_two_keys_do_the_same(language: str) -> None:
    texts = [Style(language).format(command.value) for command in Command]
    assert len(set(texts)) == len(Command)


def test_languages_differ() -> None:
    """Nothing was left in English by mistake; a few words are the same in two languages."""
    for language in WORDS.keys() - {"en"}:
        same = [phrase for phrase in Phrase if phrase.text(language) == phrase.text("en")]
        assert len(same) <= 1, (language, same)


def test_values_are_put_in_and_other_text_is_left_alone() -> None:
    assert Style("de").format(Phrase.SMALLEST_FACE_SHARE, percent=12) == "kleinstes Gesicht: 12 % der Bildhöhe"
    assert Style("de").format(Phrase.SMOOTHING, seconds=0.6) == "Glättung: 0,6 s"
    assert Style("ja").format(Phrase.SMOOTHING, seconds=1.0) == "平滑化: 1秒"
    assert Style("ko").format("a {b} c") == "a {b} c"
    assert Phrase.QUIT.text("fr") == "quitter"
    assert fields(Phrase.QUIT.value)[0].name == "en"
