from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from emodetect.live.window import Window, fitted, wants_to_quit
from tests.cli.desktop import open_desktop
from tests.cli.running import TIMEOUT, environment

CLOSED = """
import numpy as np
from emodetect.live.window import Window

with Window("closing") as window:
    window.show(np.full((100, 200, 3), 200, np.uint8))
    while window.is_open:
        list(window.pressed_keys())
    for size in ((100, 200, 3), (200, 100, 3)):
        window.show(np.full(size, 200, np.uint8))
        list(window.pressed_keys())
        print(window.is_open)
"""


@pytest.mark.parametrize(
    ("size", "screen", "expected"),
    [
        ((640, 480), (1920, 1080), (640, 480)),
        ((3840, 2160), (1920, 1080), (1632, 918)),
        ((1080, 1920), (1920, 1080), (516, 918)),
        ((4000, 10), (1000, 700), (850, 2)),
        ((10_000, 1), (1000, 700), (850, 1)),
    ],
)
def test_a_window_is_as_large_as_its_picture_or_the_screen_can_hold(
    size: tuple[int, int], screen: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitted(size, screen) == expected


def test_a_window_that_the_user_has_closed_stays_closed() -> None:
    with open_desktop() as desktop:
        line = [sys.executable, "-c", CLOSED]
        environ = environment({"DISPLAY": desktop.name})
        with subprocess.Popen(line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                desktop.close("closing", process)
                output, errors = process.communicate(timeout=TIMEOUT)
            finally:
                process.kill()
    assert (process.returncode, output) == (0, "False\nFalse\n"), errors


class ClosedMeanwhile:
    """A window whose user closes it while its events are handled."""

    is_open = True

    def pressed_keys(self) -> Iterator[str]:
        self.is_open = False
        return iter(())


def test_a_window_that_is_closed_while_nothing_is_shown_yet_ends_the_program() -> None:
    assert wants_to_quit(cast(Window, ClosedMeanwhile()))
