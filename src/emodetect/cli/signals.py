"""Signals: the first asks for an orderly end, the second ends the process at once, with the processes that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

EXIT_INTERRUPTED = 130

_HANGUP = getattr(signal, "SIGHUP", None)
"""The terminal is gone; Windows knows no such signal."""

_TIME_UP = getattr(signal, "SIGXCPU", None)
"""The processor time is used up."""

_HANDLED = tuple(number for number in (signal.SIGINT, signal.SIGTERM, _HANGUP, _TIME_UP) if number is not None)

_ECHO_SECONDS = 0.2
"""Within this time a second signal is the first one's echo: `timeout` signals the process and then its whole group."""


class Terminated(BaseException):
    """SIGTERM, SIGHUP or SIGXCPU as an exception, so that outputs are closed on the way out.

    Attributes:
        exit_code: what the process ends with.
        reason: what to say of it; empty where whoever sent the signal knows.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = _exit_code(number)
        self.reason = "the processor time that this process may use (ulimit -t) is used up" if number == _TIME_UP else ""


def handle_signals() -> None:
    """Raise KeyboardInterrupt at SIGINT and `Terminated` at other signals, and leave at once at a further SIGINT or SIGTERM.

    A further SIGHUP changes nothing: when a terminal is closed, the system and the shell both send one. Nor does a further
    SIGXCPU, which the system sends each second.

    Python runs a handler only between two of the main thread's own steps, so never while a native call hangs there. The second
    signal is therefore seen by a thread, to which the interpreter passes the signals' numbers as they come.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _keep_time_to_end()
    for number in _HANDLED:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background of a shell, or under nohup
            signal.signal(number, _ask_to_end)
    threading.Thread(target=_leave_at_the_second, args=(reader,), name="signals", daemon=True).start()


def _keep_time_to_end() -> None:
    """Have SIGXCPU sent a second before the process is killed; by ``ulimit -t`` both would come at the same time."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        if hard != resource.RLIM_INFINITY and soft == hard:
            resource.setrlimit(resource.RLIMIT_CPU, (max(1, hard - 1), hard))


def _ask_to_end(number: int, frame: FrameType | None) -> None:
    for handled in _HANDLED:
        if signal.getsignal(handled) is _ask_to_end:
            signal.signal(handled, _leave_it_to_the_thread)  # another exception would tear the orderly end apart
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def _leave_it_to_the_thread(number: int, frame: FrameType | None) -> None: ...


def _leave_at_the_second(reader: int) -> None:
    _wait_for_signal(reader, _HANDLED)
    time.sleep(_ECHO_SECONDS)
    os.set_blocking(reader, False)
    with contextlib.suppress(BlockingIOError):
        while os.read(reader, 64):
            pass
    os.set_blocking(reader, True)
    number = _wait_for_signal(reader, (signal.SIGINT, signal.SIGTERM))
    with contextlib.suppress(OSError):
        os.write(2, b"emodetect: left at once; outputs may lack their end\n")
    for module, function in (
        ("emodetect.system.temporary_folders", "remove_folders"),
        ("emodetect.system.child_processes", "kill_children"),
    ):
        if module in sys.modules:  # otherwise there are none, and this is no time to import anything
            with contextlib.suppress(Exception):
                getattr(sys.modules[module], function)()
    os._exit(_exit_code(number))


def _exit_code(number: int) -> int:
    """What shells expect of a process that a signal has ended."""
    return 128 + number


def _wait_for_signal(reader: int, numbers: tuple[int, ...]) -> int:
    while True:
        (number,) = os.read(reader, 1)
        if number in numbers:
            return number
