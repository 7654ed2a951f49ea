from __future__ import annotations

import pytest

from emodetect.live.window import fitted


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
