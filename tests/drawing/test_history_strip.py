from __future__ import annotations

import numpy as np
import pytest

from emodetect.drawing.history_strip import Strip
from emodetect.drawing.overlay import draw, mirrored
from emodetect.drawing.palette import COLORS, color_of
from emodetect.drawing.style import Style
from emodetect.types import Box, Emotion, FaceReading, Image
from tests.builders import make_image, make_reading, make_result

UNIT = 13.0
SIZE = 640, 480


def history(strip: Strip, spans: dict[int, list[tuple[float, float, Emotion | None]]], rate: float = 10.0) -> None:
    """Show the strip these faces: by id, from when to when, in seconds, what they showed."""
    last = max(end for parts in spans.values() for _, end, _ in parts)
    for index in range(round(last * rate) + 1):
        time = index / rate
        present = [
            make_reading(Box(100, 100, 50, 50), number, emotion or Emotion.SAD, uncertain=emotion is None)
            for number, parts in spans.items()
            for start, end, emotion in parts
            if start <= time < end or time == end == last
        ]
        strip.update(make_result(*present, index=index, timestamp=time))


def drawn(strip: Strip, size: tuple[int, int] = SIZE) -> Image:
    canvas = make_image(*size)
    strip.draw(canvas, UNIT, Style())
    return canvas


def shares(canvas: Image, row: int) -> dict[Emotion | None, float]:
    """Which part of a row, 0 to 1, has each color; rows are counted from the bottom."""
    line = round(1.3 * UNIT)
    y = canvas.shape[0] - row * line - 18  # its first line of pixels, over the letters
    pixels = canvas[y, 20:]
    everything: list[Emotion | None] = [*Emotion, None]
    return {emotion: round(float((pixels == color_of(emotion)).all(axis=-1).mean()), 2) for emotion in everything}


def test_bands_are_as_long_as_the_emotions_lasted() -> None:
    strip = Strip(30.0)
    history(strip, {1: [(0, 15, Emotion.HAPPY), (15, 24, Emotion.FEAR), (24, 30, None)]})
    found = shares(drawn(strip), 0)
    assert found[Emotion.HAPPY] == pytest.approx(0.5, abs=0.02)
    assert found[Emotion.FEAR] == pytest.approx(0.3, abs=0.02)
    assert found[None] == pytest.approx(0.2, abs=0.02)
    assert found[Emotion.SAD] == 0


def test_now_is_on_the_right_and_what_is_older_than_the_strip_is_gone() -> None:
    strip = Strip(30.0)
    history(strip, {1: [(0, 20, Emotion.ANGRY), (20, 35, Emotion.HAPPY), (35, 50, Emotion.FEAR)]})
    found = shares(drawn(strip), 0)
    assert found[Emotion.ANGRY] == 0
    assert found[Emotion.HAPPY] == pytest.approx(0.5, abs=0.02)
    row = drawn(strip)[SIZE[1] - 18, 20:]
    fear = np.flatnonzero((row == COLORS[Emotion.FEAR]).all(axis=-1))
    assert fear[-1] >= len(row) - 3


def test_a_face_that_was_away_has_a_gap() -> None:
    strip = Strip(30.0)
    history(strip, {1: [(0, 10, Emotion.HAPPY), (20, 30, Emotion.HAPPY)]})
    assert shares(drawn(strip), 0)[Emotion.HAPPY] == pytest.approx(0.67, abs=0.02)


def test_a_face_that_nobody_has_read_has_no_row() -> None:
    strip = Strip()
    strip.update(make_result(FaceReading(Box(0, 0, 9, 9), 1, None)))
    assert strip.place(SIZE, UNIT).height == 0
    np.testing.assert_array_equal(drawn(strip), make_image(*SIZE))


def test_those_who_were_seen_last_have_the_rows_in_the_order_of_their_numbers() -> None:
    strip = Strip(30.0, faces=2)
    history(strip, {3: [(0, 20, Emotion.HAPPY)], 5: [(0, 10, Emotion.FEAR)], 8: [(0, 20, Emotion.ANGRY)]})
    canvas = drawn(strip)
    assert shares(canvas, 1)[Emotion.HAPPY] > 0.5
    assert shares(canvas, 0)[Emotion.ANGRY] > 0.5
    assert not (canvas == COLORS[Emotion.FEAR]).all(axis=-1).any()


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (64, 48), (20, 20)])
def test_it_takes_less_than_a_third_of_the_picture(size: tuple[int, int]) -> None:
    strip = Strip()
    history(strip, {number: [(0, 2, Emotion.HAPPY)] for number in range(1, 9)})
    place = strip.place(size, UNIT)
    assert place.height < size[1] / 3
    np.testing.assert_array_equal(drawn(strip, size)[: place.y], make_image(*size)[: place.y])


def test_a_mirrored_picture_has_the_same_strip() -> None:
    strip = Strip()
    history(strip, {1: [(0, 5, Emotion.HAPPY), (5, 9, Emotion.SAD)]})
    result = make_result(make_reading(Box(100, 100, 50, 50)))
    top = strip.place(SIZE, UNIT).y
    plain, mirror = (draw(make_image(*SIZE), r.readings, strip=strip) for r in (result, mirrored(result, SIZE[0])))
    np.testing.assert_array_equal(plain[top:], mirror[top:])
    assert (plain[:top] != mirror[:top]).any()


def test_names_stand_in_their_bands_and_others_in_the_line_above() -> None:
    wide, narrow = Strip(30.0), Strip(30.0)
    history(wide, {1: [(0, 30, Emotion.HAPPY)]})
    history(narrow, {1: [(0, 29, Emotion.HAPPY), (29, 30, Emotion.ANGRY)]})
    heading = slice(SIZE[1] - 2 * round(1.3 * UNIT) - 2, SIZE[1] - round(1.3 * UNIT) - 1)
    angry = COLORS[Emotion.ANGRY]
    assert not (drawn(wide)[heading] == COLORS[Emotion.HAPPY]).all(axis=-1).any()
    assert (drawn(narrow)[heading] == angry).all(axis=-1).any()
    assert not (drawn(narrow)[heading] == COLORS[Emotion.HAPPY]).all(axis=-1).any()
    letters = (drawn(wide)[SIZE[1] - 14 : SIZE[1] - 4, 20:90] < 60).all(axis=-1)
    assert letters.sum() > 30
