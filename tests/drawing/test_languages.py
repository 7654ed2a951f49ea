from __future__ import annotations

import pytest

from emodetect.drawing.languages import NAMES, UNCERTAIN, WORDS, system_language
from emodetect.types import EMOTIONS


def test_each_language_has_a_word_for_each_label_and_no_word_twice() -> None:
    assert set(WORDS) == set(NAMES) == {"en", "ko", "ja", "zh", "es", "de", "fr"}
    for words in WORDS.values():
        assert set(words) == {*(emotion.value for emotion in EMOTIONS), UNCERTAIN}
        assert len(set(words.values())) == len(words)


def test_english_says_what_the_data_says() -> None:
    assert all(key == word for key, word in WORDS["en"].items())


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "de_DE"}, "de"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": ""}, "ja"),
        ({"LANG": "es_MX.UTF-8", "LANGUAGE": "pt:fr:en"}, "fr"),
        ({"LANG": "C", "LANGUAGE": "fr"}, "en"),
        ({"LANG": "sv_SE.UTF-8"}, "en"),
    ],
)
def test_the_systems_language_is_read_as_other_programs_read_it(environment: dict[str, str], expected: str) -> None:
    assert system_language(environment) == expected
