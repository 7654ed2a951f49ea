from __future__ import annotations

import pytest

from emodetect.report.formatting import clock, duration, percent


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00.0"), (9.96, "0:10.0"), (62.5, "1:02.5"), (3599.99, "1:00:00.0"), (3723.4, "1:02:03.4")]
)
def test_times_are_written_as_people_do(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
    assert clock(round(seconds), tenths=False) == clock(round(seconds))[:-2]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.04 s"), (0.1, "0.1 s"), (59.9, "59.9 s"), (59.96, "1 min 0 s"), (125.4, "2 min 5 s"), (3599.6, "1 h 0 min"),
        (5430, "1 h 30 min"),
    ],
)  # fmt: skip
def test_durations_have_units_that_fit(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_small_share_is_not_nothing() -> None:
    assert [percent(share) for share in (0, 0.001, 0.724, 1)] == ["0%", "<1%", "72%", "100%"]
