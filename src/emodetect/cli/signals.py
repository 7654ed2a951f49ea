"""Signals: the first asks for an orderly end, the second ends the process at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from types import FrameType

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

_ECHO_SECONDS = 0.2
"""Within this time a second signal is the first one's echo: `timeout` signals the process and then its whole group."""


class Terminated(BaseException):
    """SIGTERM as an exception, so that outputs are closed on the way out."""


def handle_signals() -> None:
    """Raise KeyboardInterrupt at SIGINT and `Terminated` at SIGTERM, and leave at once at the second SIGINT or SIGTERM.

    Python runs a handler only between two of the main thread's own steps, so never while a native call hangs there. The second
    signal is therefore seen by a thread, to which the interpreter passes the signals' numbers as they come.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background of a shell
            signal.signal(number, _ask_to_end)
    threading.Thread(target=_leave_at_the_second, args=(reader,), name="signals", daemon=True).start()


def _ask_to_end(number: int, frame: FrameType | None) -> None:
    for handled in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(handled) is _ask_to_end:
            signal.signal(handled, _leave_it_to_the_thread)  # another exception would tear the orderly end apart
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def _leave_it_to_the_thread(number: int, frame: FrameType | None) -> None: ...


def _leave_at_the_second(reader: int) -> None:
    _wait_for_signal(reader)
    time.sleep(_ECHO_SECONDS)
    os.set_blocking(reader, False)
    with contextlib.suppress(BlockingIOError):
        while os.read(reader, 64):
            pass
    os.set_blocking(reader, True)
    number = _wait_for_signal(reader)
    with contextlib.suppress(OSError):
        os.write(2, b"emodetect: left at once; outputs may lack their end\n")
    os._exit(EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED)


def _wait_for_signal(reader: int) -> int:
    while True:
        (number,) = os.read(reader, 1)
        if number in (signal.SIGINT, signal.SIGTERM):
            return number
