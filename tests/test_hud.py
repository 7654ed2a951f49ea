from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.hud import draw_help, draw_marks
from emodetect.types import Image
from emodetect.view import KEYS
from tests.builders import make_image

SIZES = [(320, 240), (360, 640), (640, 360), (3840, 2160)]
GROUNDS = [(0, 0, 0), (255, 255, 255)]


def rows_of_text(area: Image) -> int:
    """How many lines of bright letters there are."""
    bright: npt.NDArray[np.bool_] = (area.min(axis=2) > 110).any(axis=1)
    return int((np.diff(bright.astype(int)) == 1).sum() + bright[0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_help_has_a_line_a_key_inside_the_picture(size: tuple[int, int], ground: tuple[int, int, int]) -> None:
    plain = make_image(*size, ground)
    canvas = plain.copy()
    draw_help(canvas)
    changed = (canvas != plain).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    # Nothing is cut off: it ends before the picture's edges.
    assert rows[0] > 0
    assert rows[-1] < size[1] - 1
    assert columns[0] > 0
    assert columns[-1] < size[0] - 1
    assert rows_of_text(canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]) == len(KEYS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("recording", "logging"), [(True, True), (True, False), (False, True), (False, False)])
def test_marks_say_what_is_written(size: tuple[int, int], recording: bool, logging: bool) -> None:
    plain = make_image(*size, (255, 255, 255))
    canvas = plain.copy()
    draw_marks(canvas, recording=recording, logging=logging)
    blue, green, red = (canvas[..., channel].astype(int) for channel in range(3))
    assert bool(((red > 180) & (green < 100) & (blue < 100)).sum() > 10) is recording
    dark = (canvas.max(axis=2) < 60).any(axis=0)
    assert int((np.diff(dark.astype(int)) == 1).sum()) >= recording + logging
    assert bool(dark.any()) is (recording or logging)
    # In the top right corner.
    assert not (canvas != plain)[size[1] // 4 :].any()
    assert not (canvas != plain)[:, : size[0] // 2].any()
