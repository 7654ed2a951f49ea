from __future__ import annotations

import pytest

from emodetect.report.ticks import ticks


@pytest.mark.parametrize(
    ("start", "end", "labels"),
    [
        (0, 16, ["0:00", "0:05", "0:10", "0:15"]),
        (0, 10, ["0:00", "0:02", "0:04", "0:06", "0:08", "0:10"]),
        (3.2, 9.9, ["0:04", "0:06", "0:08"]),
        (0, 0.3, ["0:00.0", "0:00.1", "0:00.2", "0:00.3"]),
        (59.5, 60.5, ["0:59.6", "0:59.8", "1:00.0", "1:00.2", "1:00.4"]),
        (0, 60, ["0:00", "0:10", "0:20", "0:30", "0:40", "0:50", "1:00"]),
        (0, 150, ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30"]),
        (100, 3700, ["10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00"]),
        (0, 30 * 86_400, ["0:00", "120:00:00", "240:00:00", "360:00:00", "480:00:00", "600:00:00", "720:00:00"]),
        (-2, 2, ["0:00", "0:01", "0:02"]),
    ],
)
def test_times_are_round(start: float, end: float, labels: list[str]) -> None:
    assert [label for _, label in ticks(start, end)][-len(labels) :] == labels


@pytest.mark.parametrize("seconds", [0.01, 0.04, 0.99, 7, 61, 1000, 90_000, 1e7])
def test_there_are_few_of_them_inside_the_timeline(seconds: float) -> None:
    for start in (0.0, 0.3, 1234.567):
        times = [time for time, _ in ticks(start, start + seconds)]
        assert len(times) <= 7
        assert seconds < 0.1 or times
        assert all(start - 1e-3 <= time <= start + seconds + 1e-3 for time in times)


def test_a_timeline_without_length_has_one_at_most() -> None:
    assert ticks(5, 5) == [(5.0, "0:05.0")]
    assert ticks(5.05, 5.05) == []
