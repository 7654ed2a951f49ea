from __future__ import annotations

import threading
import time

import pytest
from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.sinks.background import BackgroundSink
from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult
from tests.builders import make_frame, make_result
from tests.hanging import LONG, raised_by


class Memory(Sink):
    """Remembers what it gets; may wait at a gate, and fail at one frame or on closing."""

    def __init__(self, *, fail_at: int | None = None, fail_on_close: bool = False, gate: threading.Event | None = None) -> None:
        self.fail_at, self.fail_on_close, self.gate = fail_at, fail_on_close, gate
        self.written: list[int] = []
        self.threads: set[int] = set()
        self.closed = 0
        self.entered = threading.Event()

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(LONG)
        assert frame.index == result.index
        self.threads.add(threading.get_ident())
        if frame.index == self.fail_at:
            raise OutputError("the disk is full")
        self.written.append(frame.index)

    @override
    def close(self) -> None:
        self.closed += 1
        if self.fail_on_close:
            raise OutputError("cannot be finished")


def write(sink: Sink, index: int) -> None:
    sink.write(make_frame(index=index), make_result(index=index))


def write_range(sink: Sink, start: int, stop: int) -> None:
    for index in range(start, stop):
        write(sink, index)


@pytest.mark.parametrize("count", [0, 1, 200])
@pytest.mark.parametrize("capacity", [1, 8])
def test_every_frame_arrives_in_order_and_in_one_other_thread(count: int, capacity: int) -> None:
    memory = Memory()
    with BackgroundSink(memory, capacity=capacity) as sink:
        for index in range(count):
            write(sink, index)
    assert memory.written == list(range(count))
    assert memory.closed == 1
    assert len(memory.threads) == min(1, count)
    assert threading.get_ident() not in memory.threads


def test_writing_does_not_wait_for_a_slow_sink_while_there_is_room() -> None:
    gate = threading.Event()
    memory = Memory(gate=gate)
    sink = BackgroundSink(memory, capacity=4)
    assert raised_by(lambda: write_range(sink, 0, 4)) is None
    assert memory.written == []
    gate.set()
    sink.close()
    assert memory.written == [0, 1, 2, 3]


def test_a_full_queue_waits_and_loses_nothing() -> None:
    gate = threading.Event()
    memory = Memory(gate=gate)
    sink = BackgroundSink(memory, capacity=1)
    writer = threading.Thread(target=write_range, args=(sink, 0, 6), daemon=True)
    writer.start()
    assert memory.entered.wait(LONG)
    gate.set()
    writer.join(LONG)
    sink.close()
    assert memory.written == list(range(6))


def test_a_full_queue_drops_frames_rather_than_wait_where_asked_to() -> None:
    gate = threading.Event()
    memory = Memory(gate=gate)
    sink = BackgroundSink(memory, capacity=2, drop=True)
    write(sink, 0)
    assert memory.entered.wait(LONG)
    # One frame is being written and two wait; there is no room for the rest.
    assert raised_by(lambda: write_range(sink, 1, 20)) is None
    gate.set()
    sink.close()
    assert memory.written == [0, 1, 2]
    assert memory.closed == 1


# Where frames may be dropped, only the first is sure to be written.
@pytest.mark.parametrize(("fail_at", "drop"), [(0, False), (3, False), (0, True)])
def test_an_error_reaches_who_writes_and_nobody_hangs(fail_at: int, drop: bool) -> None:
    memory = Memory(fail_at=fail_at)
    sink = BackgroundSink(memory, capacity=2, drop=drop)

    def work() -> None:
        with sink:
            for index in range(500):
                write(sink, index)

    error = raised_by(work)
    assert isinstance(error, OutputError)
    assert "disk is full" in str(error)
    assert memory.closed == 1
    assert all(index < fail_at for index in memory.written)


def test_an_error_at_the_last_frame_is_raised_on_closing() -> None:
    memory = Memory(fail_at=1)
    sink = BackgroundSink(memory)
    write(sink, 0)
    write(sink, 1)
    error = raised_by(sink.close)
    assert isinstance(error, OutputError)
    assert memory.written == [0]


def test_an_error_while_the_writer_waits_for_room_wakes_it() -> None:
    gate = threading.Event()
    memory = Memory(fail_at=0, gate=gate)
    sink = BackgroundSink(memory, capacity=1)
    write(sink, 0)
    assert memory.entered.wait(LONG)
    raised: list[BaseException] = []
    started = threading.Event()

    def work() -> None:
        try:
            for index in range(1, 100):
                started.set()
                write(sink, index)
        except OutputError as error:
            raised.append(error)

    writer = threading.Thread(target=work, daemon=True)
    writer.start()
    assert started.wait(LONG)
    gate.set()
    writer.join(LONG)
    assert not writer.is_alive()
    assert len(raised) == 1
    sink.close()


def test_after_an_error_nothing_more_is_written_and_each_write_says_so() -> None:
    memory = Memory(fail_at=0)
    sink = BackgroundSink(memory)
    raised: list[bool] = []
    for index in range(50):
        try:
            write(sink, index)
            raised.append(False)
        except OutputError:
            raised.append(True)
    assert raised[-1]
    assert raised == sorted(raised)
    assert raised_by(sink.close) is None
    assert memory.written == []


def test_an_error_on_closing_is_raised_and_the_first_one_wins() -> None:
    error = raised_by(BackgroundSink(Memory(fail_on_close=True)).close)
    assert "cannot be finished" in str(error)
    sink = BackgroundSink(Memory(fail_at=0, fail_on_close=True))
    write(sink, 0)
    error = raised_by(sink.close)
    assert "disk is full" in str(error)


def test_closing_twice_is_no_error() -> None:
    memory = Memory()
    with BackgroundSink(memory) as sink:
        sink.close()
    assert memory.closed == 1


def test_the_inner_sink_is_closed_when_the_block_is_interrupted() -> None:
    memory = Memory()

    def work() -> None:
        with BackgroundSink(memory) as sink:
            write(sink, 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert memory.written == [0]
    assert memory.closed == 1


def test_a_wake_up_that_a_signal_swallowed_is_made_up_for() -> None:
    memory = Memory()
    sink = BackgroundSink(memory)
    waiting = sink._queue.not_empty._waiters  # type: ignore[attr-defined]  # as after an exception inside of Condition.notify
    while not waiting:
        time.sleep(0.001)
    waiting.clear()
    sink.write(make_frame(index=0), make_result(index=0))
    sink.close()
    assert memory.written == [0]
