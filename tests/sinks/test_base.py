from __future__ import annotations

import pytest
from typing_extensions import override

from emodetect.sinks.base import Sink
from emodetect.types import Frame, FrameResult


class Counting(Sink):
    def __init__(self) -> None:
        self.closed = 0

    @override
    def write(self, frame: Frame, result: FrameResult) -> None: ...

    @override
    def close(self) -> None:
        self.closed += 1


def test_a_sink_is_closed_at_the_end_of_its_block() -> None:
    with Counting() as sink:
        assert sink.closed == 0
    assert sink.closed == 1


def test_a_sink_is_closed_when_its_block_fails() -> None:
    sink = Counting()
    with pytest.raises(KeyboardInterrupt), sink:
        raise KeyboardInterrupt
    assert sink.closed == 1
