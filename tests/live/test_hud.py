from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.drawing.languages import WORDS
from emodetect.drawing.lettering import unit_for
from emodetect.drawing.overlay import draw
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.faces.boxes import intersections
from emodetect.live.hud import draw_help, draw_marks, place_marks, waiting_picture
from emodetect.live.keys import KEYS
from emodetect.types import Box, Image
from tests.builders import make_image
from tests.drawing.recording import Recorder
from tests.drawing.test_lettering import style_for

SIZES = [(320, 240), (360, 640), (640, 360), (3840, 2160)]
GROUNDS = [(0, 0, 0), (255, 255, 255)]

VALUES = {
    "path": "emodetect-20260131-235959-123.png", "backend": "deepface", "source": "camera 0",
    "percent": 12, "pixels": 64, "seconds": 0.5, "rate": 25,
}  # fmt: skip

MESSAGES = [
    Phrase.LOADING, Phrase.PAUSED, Phrase.RECONNECTING, Phrase.SAVED, Phrase.RECORDING, Phrase.RECORDED,
    Phrase.SMALLEST_FACE_SHARE, Phrase.SMALLEST_FACE_PIXELS, Phrase.SMOOTHING, Phrase.NO_SMOOTHING, Phrase.NO_OTHER_BACKEND,
    Phrase.NOW, Phrase.CANNOT_LOAD, Phrase.CANNOT_SAVE, Phrase.NO_FACE, Phrase.NO_FACE_SUGGESTION,
]  # fmt: skip


def rows_of_text(area: Image) -> int:
    """How many lines of bright letters there are."""
    bright: npt.NDArray[np.bool_] = (area.min(axis=2) > 110).any(axis=1)
    return int((np.diff(bright.astype(int)) == 1).sum() + bright[0])


def assert_lie_in(boxes: list[Box], size: tuple[int, int]) -> None:
    assert all(box.lies_in(*size) for box in boxes)
    assert not any(intersections([first], [second]).any() for first, second in combinations(boxes, 2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_help_has_a_line_a_key_inside_the_picture(size: tuple[int, int], ground: tuple[int, int, int]) -> None:
    plain = make_image(*size, ground)
    canvas = plain.copy()
    draw_help(canvas, Style())
    changed = (canvas != plain).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    # Nothing is cut off: it ends before the picture's edges.
    assert rows[0] > 0
    assert rows[-1] < size[1] - 1
    assert columns[0] > 0
    assert columns[-1] < size[0] - 1
    corner = round(0.5 * unit_for(size))
    assert rows_of_text(canvas[rows[0] : rows[-1] + 1, columns[0] + corner : columns[-1] - corner]) == len(KEYS)


@pytest.mark.parametrize("size", [(320, 240), (640, 360)])
@pytest.mark.parametrize("language", list(WORDS))
def test_the_help_fits_in_every_language(language: str, size: tuple[int, int]) -> None:
    style = style_for(language)
    recorder = Recorder(style.lettering)
    plain = make_image(*size, (255, 255, 255))
    canvas = plain.copy()
    draw_help(canvas, replace(style, lettering=recorder))
    assert len(recorder.written) == 2 * len(KEYS)
    assert_lie_in([box for _, box in recorder.written], size)
    # The letters stay on their panel, whose rim is as dark as its ground, and are no smaller than can be read.
    changed = (canvas != plain).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    panel = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    corner = round(0.5 * unit_for(size))
    rims = [rim[corner:-corner] for rim in (panel[0], panel[-1], panel[:, 0], panel[:, -1])]
    assert max(rim.max() for rim in rims) < 80
    assert min(box.height for _, box in recorder.written) >= 9


@pytest.mark.parametrize("size", [(320, 240), (640, 360)])
@pytest.mark.parametrize("language", list(WORDS))
def test_messages_fit_in_every_language(language: str, size: tuple[int, int]) -> None:
    style = style_for(language)
    status = [style.format(Phrase.FRAME_RATE, **VALUES), "23 ms", style.format(Phrase.FACES_HIDDEN)]
    for message in MESSAGES:
        recorder = Recorder(style.lettering)
        banner = style.format(message, **VALUES)
        draw(make_image(*size), [], status=status, banner=[banner], style=replace(style, lettering=recorder))
        assert_lie_in([box for _, box in recorder.written], size)
        texts = [text for text, _ in recorder.written]
        lines = next(number for number in range(1, 4) if " · ".join(texts[:number]).count(" · ") == 2)
        assert " · ".join(texts[:lines]) == " · ".join(status)
        # In a small picture the name of a file is shortened in its middle, and nothing else.
        shown = " ".join(texts[lines:])
        assert len(texts) - lines == 1 or style.lettering.width(banner, unit_for(size)) > size[0] - 30, "one line"
        assert shown == banner or (size[0] == 320 and "{path}" in message.text(language) and shown.startswith(banner[:12]))
        assert shown[-4:] == banner[-4:]


@pytest.mark.parametrize("language", list(WORDS))
def test_before_the_first_picture_the_window_says_what_it_waits_for(language: str) -> None:
    style = style_for(language)
    recorder = Recorder(style.lettering)
    source = "rtsp://192.168.100.200:8554/..."
    picture = waiting_picture(replace(style, lettering=recorder), style.format(Phrase.OPENING, source=source))
    assert_lie_in([box for _, box in recorder.written], (picture.shape[1], picture.shape[0]))
    assert recorder.written[0][0] == style.format(Phrase.OPENING, source=source)


@pytest.mark.parametrize("size", [(1, 1), (16, 12), (40, 400)])
def test_a_picture_without_room_for_help_is_no_error(size: tuple[int, int]) -> None:
    for language in ("en", "de"):
        canvas = make_image(*size)
        draw_help(canvas, style_for(language))
        draw_marks(canvas, style_for(language), place_marks(size, style_for(language), recording=True, logging=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("recording", "logging"), [(True, True), (True, False), (False, True), (False, False)])
def test_marks_say_what_is_written(size: tuple[int, int], recording: bool, logging: bool) -> None:
    plain = make_image(*size, (255, 255, 255))
    canvas = plain.copy()
    draw_marks(canvas, Style(), place_marks(size, Style(), recording=recording, logging=logging))
    blue, green, red = (canvas[..., channel].astype(int) for channel in range(3))
    assert bool(((red > 180) & (green < 100) & (blue < 100)).sum() > 10) is recording
    dark = (canvas.max(axis=2) < 60).any(axis=0)
    assert int((np.diff(dark.astype(int)) == 1).sum()) >= recording + logging
    assert bool(dark.any()) is (recording or logging)
    # In the top right corner.
    assert not (canvas != plain)[size[1] // 4 :].any()
    assert not (canvas != plain)[:, : size[0] // 2].any()
