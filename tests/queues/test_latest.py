from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from emodetect.queues.latest import Latest

LONG = 30.0
"""Seconds after which a thread that should have come back is taken for hung."""


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def test_takes_what_was_put_and_only_once() -> None:
    place: Latest[str] = Latest()
    place.put("a")
    assert place.take() == "a"
    assert place.take(timeout=0) is None


def test_the_newest_replaces_what_nobody_took_and_is_counted() -> None:
    place: Latest[int] = Latest()
    for value in (1, 2, 3):
        place.put(value)
    assert place.take() == 3
    assert place.replaced == 2


def test_what_was_taken_counts_as_taken() -> None:
    place: Latest[int] = Latest()
    for value in range(5):
        place.put(value)
        assert place.take() == value
    assert place.replaced == 0


@pytest.mark.parametrize("value", [0, "", (), False])
def test_false_values_are_values(value: object) -> None:
    place: Latest[object] = Latest()
    place.put(value)
    place.put(value)
    assert place.replaced == 1
    assert place.take(timeout=0) is not None


@pytest.mark.parametrize("timeout", [0.0, 0.02])
def test_an_empty_place_gives_nothing_after_the_timeout(timeout: float) -> None:
    assert Latest[int]().take(timeout=timeout) is None


def test_a_put_wakes_who_waits() -> None:
    place: Latest[str] = Latest()
    thread, results = in_thread(place.take)
    place.put("news")
    thread.join(LONG)
    assert results == ["news"]


def test_closing_wakes_everybody_who_waits() -> None:
    place: Latest[str] = Latest()
    waiting = [in_thread(place.take) for _ in range(3)]
    place.close()
    for thread, results in waiting:
        thread.join(LONG)
        assert results == [None]


def test_the_last_value_can_be_taken_after_closing() -> None:
    place: Latest[str] = Latest()
    place.put("last")
    place.close()
    assert not place.finished
    assert place.take() == "last"
    assert place.finished
    assert place.take() is None


def test_an_open_place_is_not_finished() -> None:
    place: Latest[str] = Latest()
    assert not place.finished
    place.put("a")
    place.take()
    assert not place.finished


def test_a_slow_taker_gets_rising_values_and_the_last_one() -> None:
    place: Latest[int] = Latest()

    def take_all() -> list[int]:
        taken = []
        while not place.finished:
            value = place.take(timeout=LONG)
            if value is not None:
                taken.append(value)
        return taken

    thread, results = in_thread(take_all)
    for value in range(1, 2001):
        place.put(value)
    place.close()
    thread.join(LONG)
    [taken] = results
    assert isinstance(taken, list)
    assert taken == sorted(set(taken))
    assert taken[-1] == 2000
    assert len(taken) + place.replaced == 2000


def test_a_branch_gets_every_value_from_then_on_whoever_takes_the_others() -> None:
    place: Latest[int] = Latest()
    place.put(1)
    branch = place.branch()
    for value in (2, 3):
        place.put(value)
        assert branch.take(timeout=0) == value
    assert place.take(timeout=0) == 3
    place.put(4)
    place.put(5)
    assert branch.take(timeout=0) == 5
    assert branch.replaced == 1


def test_closing_closes_the_branches_whose_last_value_can_still_be_taken() -> None:
    place: Latest[int] = Latest()
    branch = place.branch()
    place.put(1)
    place.close()
    assert not branch.finished
    assert branch.take() == 1
    assert branch.finished
    assert place.branch().finished
