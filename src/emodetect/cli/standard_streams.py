"""The standard streams: opened where they were closed, able to print any character, with errors that say what failed."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any

STANDARD_OUTPUT = "standard output"
"""The file name in the errors of writing it."""

_PATIENCE = 1.0
"""Seconds that a message waits for a reader who is slow."""


class _StandardOutput(io.TextIOWrapper):
    """Standard output as Python opens it, but it puts its name to its errors, and escapes what its encoding lacks.

    A cure or a result must not be lost for an arrow.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        stream.flush()
        lines, unbuffered = stream.line_buffering, stream.write_through
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=lines, write_through=unbuffered)
        # Not detached, since it is asked for the terminal's size, and kept, since it closes the buffer when it goes.
        self._replaced = stream

    def write(self, text: str) -> int:
        with _named():
            return super().write(text)

    def flush(self) -> None:
        with _named():
            super().flush()


class _Messages(io.FileIO):
    """Standard error's descriptor, of which what cannot be written is lost: a message must never cost a result."""

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self.fileno(), left) :]
            except BlockingIOError:  # a pipe that another process made non-blocking
                with contextlib.suppress(OSError, ValueError):
                    if select.select([], [self.fileno()], [], _PATIENCE)[1]:
                        continue
                break
            except OSError:
                break
        return size


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = STANDARD_OUTPUT
        raise


def open_standard_streams() -> None:
    """Open what was closed (`>&-`): the next file opened would get its number, and with it what libraries print."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _StandardOutput(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        with contextlib.suppress(OSError):  # a test's own, which has no descriptor
            raw: Any = _Messages(sys.stderr.fileno(), "w", closefd=False)
            encoding = sys.stderr.encoding
            sys.stderr.flush()
            sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True, write_through=True)


def give_up(*descriptors: int) -> None:
    """Let what is still to be written there go nowhere: Python flushes once more at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
