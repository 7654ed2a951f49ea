"""The ways from thread to thread, driven in random orders: nothing hangs, nothing promised is lost, every error arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.queues.latest import Latest
from emodetect.queues.prefetch import ahead
from emodetect.sinks.background import BackgroundSink
from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult
from tests.builders import make_frame, make_result
from tests.hanging import raised_by

pauses = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.0005, 0.002]), min_size=1, max_size=5)
"""How long a thread rests before each step, seconds, over and over."""

# Threads take turns as the system likes, so that a failure may not come again, and a loaded machine is slow.
randomly = settings(max_examples=40, deadline=None, derandomize=True)


class LostError(Exception):
    """What the tests raise."""


def rest(pauses: list[float], step: int) -> None:
    time.sleep(pauses[step % len(pauses)])


@randomly
@given(
    count=st.integers(0, 30),
    capacities=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    fails_at=st.none() | st.integers(0, 30),
    leaves_at=st.none() | st.integers(0, 30),
    makes=pauses,
    takes=pauses,
)
def test_ahead(
    count: int, capacities: list[int], fails_at: int | None, leaves_at: int | None, makes: list[float], takes: list[float]
) -> None:
    """Steps in a chain: every item once and in order, then the error; leaving at any time ends all threads."""
    before = set(threading.enumerate())
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(count):
            rest(makes, number)
            if number == fails_at:
                raise LostError
            yield number

    def chain(source: Iterator[int], capacities: list[int]) -> None:
        if capacities:
            with ahead(source, capacity=capacities[0]) as step:
                chain(step, capacities[1:])
            return
        for number in source:
            if number == leaves_at:
                raise KeyboardInterrupt
            taken.append(number)
            rest(takes, number)

    error = raised_by(lambda: chain(items(), capacities))

    stops = min(number for number in (count, fails_at, leaves_at) if number is not None)
    assert taken == list(range(stops))
    if leaves_at == stops < count and leaves_at != fails_at:
        assert isinstance(error, KeyboardInterrupt)
    elif fails_at == stops < count:
        assert isinstance(error, LostError)
    else:
        assert error is None
    assert set(threading.enumerate()) <= before


@randomly
@given(counts=st.lists(st.integers(0, 20), min_size=1, max_size=3), takers=st.integers(1, 3), puts=pauses, takes=pauses)
def test_latest(counts: list[int], takers: int, puts: list[float], takes: list[float]) -> None:
    """Each value is taken once or counted as replaced; one that is put last, before closing, is taken."""
    place: Latest[tuple[int, int]] = Latest()
    taken: list[list[tuple[int, int]]] = [[] for _ in range(takers)]

    def put(sender: int) -> None:
        for number in range(counts[sender]):
            rest(puts, number)
            place.put((sender, number))

    def take(receiver: int) -> None:
        while not place.finished:
            value = place.take(timeout=0.01 if receiver else None)
            if value is not None:
                taken[receiver].append(value)
            rest(takes, len(taken[receiver]))

    receiving = [threading.Thread(target=take, args=(number,), daemon=True) for number in range(takers)]
    sending = [threading.Thread(target=put, args=(number,), daemon=True) for number in range(len(counts))]

    def work() -> None:
        for thread in (*receiving, *sending):
            thread.start()
        for thread in sending:
            thread.join()
        place.close()
        for thread in receiving:
            thread.join()

    assert raised_by(work) is None
    everything = [value for values in taken for value in values]
    assert len(set(everything)) == len(everything)
    assert len(everything) + place.replaced == sum(counts)
    for values in taken:
        for sender in range(len(counts)):
            numbers = [number for who, number in values if who == sender]
            assert numbers == sorted(numbers)
    if len(counts) == 1 and counts[0]:
        assert (0, counts[0] - 1) in everything


class Notebook(Sink):
    """Notes what it gets; fails where it is told to."""

    def __init__(self, fails_at: int | None, fails_on_closing: bool, pauses: list[float]) -> None:
        self.fails_at, self.fails_on_closing, self.pauses = fails_at, fails_on_closing, pauses
        self.written: list[int] = []
        self.closed = 0

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        rest(self.pauses, frame.index)
        if frame.index == self.fails_at:
            raise OutputError("full")
        self.written.append(frame.index)

    @override
    def close(self) -> None:
        self.closed += 1
        if self.fails_on_closing:
            raise OutputError("no end")


@randomly
@given(
    count=st.integers(0, 30),
    capacity=st.integers(1, 5),
    drop=st.booleans(),
    fails_at=st.none() | st.integers(0, 30),
    fails_on_closing=st.booleans(),
    interrupted_at=st.none() | st.integers(0, 30),
    closes=st.integers(1, 3),
    writes=pauses,
    works=pauses,
)
def test_background_sink(
    count: int,
    capacity: int,
    drop: bool,
    fails_at: int | None,
    fails_on_closing: bool,
    interrupted_at: int | None,
    closes: int,
    writes: list[float],
    works: list[float],
) -> None:
    """In order, none twice, none lost unless it may drop; the first error arrives, and the sink is closed once."""
    notebook = Notebook(fails_at, fails_on_closing, works)
    accepted: list[int] = []

    def work() -> None:
        with BackgroundSink(notebook, capacity=capacity, drop=drop) as sink:
            for number in range(count):
                rest(writes, number)
                if number == interrupted_at:
                    raise KeyboardInterrupt
                sink.write(make_frame(index=number), make_result(index=number))
                accepted.append(number)
            for _ in range(closes):
                sink.close()

    error = raised_by(work)

    assert notebook.closed == 1
    assert notebook.written == sorted(set(notebook.written))
    if not drop:
        assert notebook.written == [number for number in accepted if fails_at is None or number < fails_at]
    if fails_on_closing or (fails_at in accepted and not drop):
        assert isinstance(error, OutputError)
    if fails_at in accepted and not drop:
        assert str(error) == "full"
    if error is None:
        assert not fails_on_closing
        assert len(accepted) == count
