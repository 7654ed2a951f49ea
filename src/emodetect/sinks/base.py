"""What all sinks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from emodetect.errors import OutputError
from emodetect.types import Frame, FrameResult


class Sink(ABC):
    """Takes frames with their results; a context manager, closed on every path so that its file is always whole."""

    @abstractmethod
    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one frame.

        Raises:
            OutputError: it cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the output; may be called twice.

        Raises:
            OutputError: it cannot be finished.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_output(path: Path, *, overwrite: bool, suffixes: tuple[str, ...] = ()) -> None:
    """See before the work starts whether a file can be written.

    Raises:
        OutputError: it exists already, its folder does not, or its ending says nothing.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: unknown kind of file; expected a name ending in {', '.join(suffixes)}")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; expected a file name")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; --overwrite replaces it")
