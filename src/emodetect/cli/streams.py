"""The standard streams: open, able to say anything, and never written twice in vain."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

STANDARD_OUTPUT = "standard output"
"""The file name in the errors of writing it."""


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


def give_up(*descriptors: int) -> None:
    """Let what is still to be written there go nowhere: Python flushes once more at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
