from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from emodetect.queues.prefetch import ahead


def test_nothing_gives_nothing() -> None:
    nobody: list[int] = []
    with ahead(nobody) as items:
        assert list(items) == []


def test_the_order_stays_and_none_is_lost() -> None:
    with ahead(range(1000), capacity=3) as items:
        assert list(items) == list(range(1000))


def test_items_are_made_in_another_thread_and_only_there() -> None:
    def threads() -> Iterator[int]:
        for _ in range(5):
            yield threading.get_ident()

    with ahead(threads()) as items:
        assert len({threading.get_ident(), *items}) == 2


@pytest.mark.parametrize("capacity", [1, 4])
def test_it_works_so_far_ahead_and_no_further(capacity: int) -> None:
    made = []
    blocked = threading.Event()

    def numbers() -> Iterator[int]:
        for number in count():
            made.append(number)
            # All places are taken, and one more waits for a place.
            if number == capacity:
                blocked.set()
            yield number

    with ahead(numbers(), capacity=capacity) as items:
        assert blocked.wait(60)
        assert len(made) == capacity + 1
        assert next(items) == 0


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield from range(3)
        raise KeyError("lost")

    seen: list[int] = []
    with pytest.raises(KeyError, match="lost"), ahead(failing()) as items:
        seen.extend(items)
    assert seen == [0, 1, 2]


def test_an_error_passes_through_a_chain() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("lost")

    seen: list[str] = []
    with pytest.raises(KeyError), ahead(failing()) as first, ahead(map(str, first)) as second:
        seen.extend(second)
    assert seen == ["1"]


@pytest.mark.parametrize("capacity", [1, 2, 8])
def test_leaving_early_ends_every_thread_of_a_chain(capacity: int) -> None:
    before = set(threading.enumerate())
    with ahead(count(), capacity=capacity) as first, ahead(map(str, first), capacity=capacity) as second:
        assert next(second) == "0"
    assert set(threading.enumerate()) <= before


def test_leaving_by_an_error_ends_the_thread() -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), ahead(count()):
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= before
