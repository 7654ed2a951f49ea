"""Standard streams: reopens closed streams, escapes unencodable text, names the stream in errors."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any

STANDARD_OUTPUT = "standard output"
"""Name of the file in write errors."""

_TIMEOUT_SECONDS = 1.0
"""Seconds to wait for a slow reader of standard error."""


class _StandardOutput(io.TextIOWrapper):
    """Standard output that names itself in errors, and escapes unencodable characters, so that no text is lost."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        stream.flush()
        lines, unbuffered = stream.line_buffering, stream.write_through
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=lines, write_through=unbuffered)
        # Not detached, since the terminal size needs its descriptor; referenced, since its destructor closes the buffer.
        self._replaced = stream

    def write(self, text: str) -> int:
        with _named():
            return super().write(text)

    def flush(self) -> None:
        with _named():
            super().flush()


class _Messages(io.FileIO):
    """Standard error that ignores write errors, so that a message never costs a result."""

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self.fileno(), left) :]
            except BlockingIOError:  # another process made the pipe non-blocking
                with contextlib.suppress(OSError, ValueError):
                    if select.select([], [self.fileno()], [], _TIMEOUT_SECONDS)[1]:
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
    """Reopen closed streams (`>&-`); otherwise the next file would get the descriptor, and with it the output of libraries."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _StandardOutput(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        with contextlib.suppress(OSError):  # a replacement in a test has no descriptor
            raw: Any = _Messages(sys.stderr.fileno(), "w", closefd=False)
            encoding = sys.stderr.encoding
            sys.stderr.flush()
            sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True, write_through=True)


def discard(*descriptors: int) -> None:
    """Redirect these descriptors to the null device, so that Python's final flush does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
