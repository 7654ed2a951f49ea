from __future__ import annotations

import numpy as np
import pytest
from typing_extensions import override

from emodetect.faces.hiding import HiddenFaces
from emodetect.sinks.anonymized import AnonymizedSink, FramesBetween
from emodetect.sinks.base import Sink
from emodetect.types import Box, Frame, FrameResult
from tests.builders import make_image, make_reading

RATE = 25.0
PLACE = Box(20, 15, 10, 10)


class Kept(Sink):
    """Keeps what it gets."""

    def __init__(self, *, broken: bool = False) -> None:
        self.frames: list[Frame] = []
        self.results: list[FrameResult] = []
        self.closed = 0
        self._broken = broken

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        if self._broken:
            raise OSError("full")
        self.frames.append(frame)
        self.results.append(result)

    @override
    def close(self) -> None:
        self.closed += 1


def play(sink: Sink, seen_at: set[int], *, count: int = 40, believed: bool = False) -> None:
    """Write one-colored frames; in those the place is seen."""
    for index in range(count):
        seen = (PLACE,) if index in seen_at else ()
        readings = tuple(make_reading(box) for box in seen) if believed else ()
        frame = Frame(make_image(), index, index / RATE)
        sink.write(frame, FrameResult(index, index / RATE, readings, () if believed else seen))


def hidden_frames(kept: Kept) -> list[int]:
    return [frame.index for frame in kept.frames if not np.array_equal(frame.image, make_image())]


@pytest.mark.parametrize("believed", [True, False], ids=["believed", "refused"])
def test_a_place_is_hidden_from_before_it_is_seen_until_after(believed: bool) -> None:
    kept = Kept()
    with AnonymizedSink([kept], "box") as sink:
        play(sink, {15, 18}, believed=believed)

    assert [frame.index for frame in kept.frames] == list(range(40))
    assert [result.index for result in kept.results] == list(range(40))
    assert hidden_frames(kept) == list(range(15 - 7, 18 + 7 + 1))  # 0.3 s are seven frames and a half
    assert kept.closed == 1
    for frame in kept.frames[8:26]:
        inside = frame.image[PLACE.y : PLACE.y + PLACE.height, PLACE.x : PLACE.x + PLACE.width]
        assert (inside == 64).all()


class Found(HiddenFaces):
    """Finds the place in some frames."""

    def __init__(self, seen_at: set[int]) -> None:
        super().__init__()
        self._seen_at = seen_at

    @override
    def find(self, frame: Frame, result: FrameResult) -> tuple[Box, ...]:
        return (PLACE,) if frame.index in self._seen_at else ()


def test_what_frames_between_show_is_hidden_in_all_sinks() -> None:
    """Of 40 frames each fourth is written; the place is seen in frame 15 only, which is not among them."""
    between, sinks = FramesBetween(hidden=Found({15})), [Kept(), Kept()]
    with AnonymizedSink(sinks, "box", between) as sink:
        for index in range(40):
            frame = Frame(make_image(), index, index / RATE)
            if index % 4:
                between.add(frame)
            else:
                sink.write(frame, FrameResult(index, index / RATE, (), ()))

    for kept in sinks:
        assert [frame.index for frame in kept.frames] == list(range(0, 40, 4))
        assert hidden_frames(kept) == [8, 12, 16, 20]
        assert kept.closed == 1


def test_no_more_than_a_moment_waits() -> None:
    kept = Kept()
    sink = AnonymizedSink([kept], "box")
    play(sink, set())

    assert 40 - 9 <= len(kept.frames) < 40


def test_the_first_and_the_last_frame_are_hidden_too() -> None:
    kept = Kept()
    with AnonymizedSink([kept], "blur") as sink:
        for index in range(3):
            noise = np.random.default_rng(index).integers(0, 256, (48, 64, 3), np.uint8)
            sink.write(Frame(noise, index, index / RATE), FrameResult(index, index / RATE, (), (PLACE,)))

    for frame in kept.frames:
        noise = np.random.default_rng(frame.index).integers(0, 256, (48, 64, 3), np.uint8)
        assert (frame.image[15:25, 20:30] != noise[15:25, 20:30]).mean() > 0.9


def test_the_sink_is_closed_though_it_fails() -> None:
    kept = Kept(broken=True)
    sink = AnonymizedSink([kept], "box")
    play(sink, set(), count=3)

    with pytest.raises(OSError, match="full"):
        sink.close()
    assert kept.closed == 1
