from __future__ import annotations

from unicodedata import normalize

import numpy as np
import pytest

from emodetect.drawing.contact_sheet import MAX_PHOTOS, ContactSheet
from emodetect.drawing.fonts import shipped_font
from emodetect.drawing.overlay import COLORS
from emodetect.drawing.style import Style
from emodetect.types import Box, Emotion, FaceReading
from tests.builders import make_image, make_reading
from tests.drawing.recording import Recorder
from tests.drawing.test_lettering import NAME, captions_for, style_for


@pytest.mark.parametrize(
    ("count", "side", "columns", "rows"), [(1, 600, 1, 1), (2, 600, 2, 1), (5, 420, 3, 2), (30, 300, 7, 5), (60, 240, 10, 6)]
)
def test_photos_stand_in_rows_the_larger_the_fewer_there_are(count: int, side: int, columns: int, rows: int) -> None:
    sheet = ContactSheet(count)
    for number in range(count):
        sheet.add(f"{number}.jpg", make_image(48, 48))

    assert sheet.image().shape[:2] == (12 + rows * (side + 40 + 12), 12 + columns * (side + 12))


def test_a_row_is_as_high_as_its_highest_photo() -> None:
    sheet = ContactSheet(3)
    for height in (40, 20, 10):
        sheet.add("a.jpg", make_image(40, height, (200, 100, 0)))
    picture = sheet.image()

    assert picture.shape[0] == 12 + (420 + 40 + 12) + (105 + 40 + 12)
    lit = (picture == (200, 100, 0)).all(axis=2)
    assert [lit[:, 12 + 432 * column + 210].sum() for column in (0, 1)] == [420 + 105, 210]
    assert lit[431, [222, 654]].all(), "both stand on their captions"


def test_a_box_stands_where_the_face_is_on_the_thumbnail() -> None:
    sheet = ContactSheet(1)
    sheet.add("a.jpg", make_image(1200, 600), [make_reading(Box(500, 100, 200, 400), dominant=Emotion.SAD)])
    picture = sheet.image()[12:, 12:]

    colored = (picture[:300, :600] == COLORS[Emotion.SAD]).all(axis=2)
    rows, columns = np.flatnonzero(colored.any(axis=1)), np.flatnonzero(colored.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == pytest.approx((50, 250, 250, 350), abs=2)


def test_a_caption_is_in_the_middle_below_its_photo() -> None:
    sheet = ContactSheet(1)
    sheet.add("portrait.jpg", make_image(30, 60))
    picture = sheet.image()

    for part in (slice(12, 612), slice(616, 634), slice(634, 652)):
        columns = np.flatnonzero((picture[part] < 200).any(axis=(0, 2)))
        assert (columns[0] + columns[-1]) / 2 == pytest.approx(312, abs=2)


def test_a_long_name_stays_within_its_column() -> None:
    sheet = ContactSheet(1)
    sheet.add("long" * 60 + ".jpg", None)
    picture = sheet.image()

    assert picture.shape[1] == 600 + 2 * 12
    assert (picture[-50:, 12:-12] < 128).any()
    assert (picture[-50:, -12:] > 250).all()


def test_a_sheet_does_not_grow_without_end() -> None:
    sheet = ContactSheet(MAX_PHOTOS + 5)
    for number in range(MAX_PHOTOS + 5):
        sheet.add(str(number), None)

    height, width = sheet.image().shape[:2]
    assert max(height, width) < 16_000


def test_a_sheet_without_photos_has_no_picture() -> None:
    assert ContactSheet(0).is_empty
    with pytest.raises(ValueError, match="at least one"):
        ContactSheet(0).image()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_names_and_words_are_written_in_their_own_letters(language: str) -> None:
    style, _ = captions_for(language)
    boxes = Style(language, shipped_font())
    readings = [make_reading(dominant=Emotion.SAD)]
    pictures = {}
    for name in (NAME, normalize("NFD", NAME)):
        for letters in (style, boxes):
            sheet = ContactSheet(1, letters)
            sheet.add(name, make_image(), readings)
            pictures[name, letters] = sheet.image()

    # The name differs from boxes in every language, the words where they are not English.
    rows = {part: slice(-12 - 36 + 18 * part, -12 - 36 + 18 * (part + 1)) for part in (0, 1)}
    assert (pictures[NAME, style][rows[0]] != pictures[NAME, boxes][rows[0]]).any()
    assert bool((pictures[NAME, style][rows[1]] != pictures[NAME, boxes][rows[1]]).any()) is (language != "en")
    assert (pictures[NAME, style] == pictures[normalize("NFD", NAME), style]).all(), "macOS takes letters apart"


def test_words_are_those_of_the_language() -> None:
    recorder = Recorder(style_for("de").lettering)
    sheet = ContactSheet(4, Style("de", recorder))
    sheet.add("a.jpg", make_image(), [make_reading(dominant=Emotion.SAD)])
    sheet.add("b.jpg", make_image(), [make_reading(uncertain=True), make_reading(), FaceReading(Box(0, 0, 9, 9), 3, None)])
    sheet.add("c.jpg", make_image())
    sheet.add("d.jpg", None)

    texts = [text for text, _ in recorder.written]
    assert texts[::2] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert texts[1::2] == ["Trauer 70%", "unklar, Freude, ...", "kein Gesicht gefunden", "nicht lesbar"]
