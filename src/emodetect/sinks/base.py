"""Interface of sinks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType

from typing_extensions import Self

from emodetect.types import Frame, FrameResult


class Sink(ABC):
    """Receives frames with their results. A context manager, closed on every path, so that its file is always complete."""

    @abstractmethod
    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one frame.

        Args:
            frame: the frame.
            result: its result.

        Raises:
            OutputError: the frame cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the output; may be called twice.

        Raises:
            OutputError: the output cannot be finished.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
