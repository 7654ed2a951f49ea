"""Signal handling: the first signal requests an orderly exit, the second ends the process and its children at once."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

EXIT_INTERRUPTED = 130

_HANGUP = getattr(signal, "SIGHUP", None)
"""Signal of a closed terminal; it does not exist on Windows."""

_SIGXCPU = getattr(signal, "SIGXCPU", None)
"""Signal of the limit of processor time; it does not exist on Windows."""

_HANDLED = tuple(number for number in (signal.SIGINT, signal.SIGTERM, _HANGUP, _SIGXCPU) if number is not None)

_DUPLICATE_SECONDS = 0.2
"""Time in which a second signal is a duplicate: `timeout` signals the process and then its whole group."""


class Terminated(BaseException):
    """SIGTERM, SIGHUP or SIGXCPU as an exception, so that outputs are closed.

    Attributes:
        exit_code: exit code of the process.
        reason: message for the user; empty if the sender of the signal knows the reason.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = _exit_code(number)
        self.reason = "the processor time that this process may use (ulimit -t) is used up" if number == _SIGXCPU else ""


def handle_signals() -> None:
    """Raise KeyboardInterrupt on SIGINT and `Terminated` on other signals, and exit at once on a further SIGINT or SIGTERM.

    A further SIGHUP is ignored: when a terminal is closed, the system and the shell both send one. So is a further SIGXCPU, which
    the system sends every second.

    Python runs handlers in the main thread, and never while that is in a native call. A separate thread therefore handles the
    second signal; the interpreter writes signal numbers to its pipe.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _reserve_shutdown_time()
    for number in _HANDLED:
        if signal.getsignal(number) is not signal.SIG_IGN:  # ignored in the background of a shell, or under nohup
            signal.signal(number, _request_exit)
    atexit.register(_replace_handlers, signal.SIG_IGN)  # the default handlers of Python's shutdown would change the exit code
    threading.Thread(target=_exit_on_second_signal, args=(reader,), name="signals", daemon=True).start()


def ignore_signals() -> None:
    """Let the process end with its exit code, since its work is done; a second signal still ends it at once."""
    _replace_handlers(_ignore)


def _reserve_shutdown_time() -> None:
    """Have SIGXCPU sent one second before SIGKILL; ``ulimit -t`` sets both limits to the same time."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        if hard != resource.RLIM_INFINITY and soft == hard:
            resource.setrlimit(resource.RLIMIT_CPU, (max(1, hard - 1), hard))


def _request_exit(number: int, frame: FrameType | None) -> None:
    _replace_handlers(_ignore)  # another exception would disturb the orderly exit
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def _ignore(number: int, frame: FrameType | None) -> None: ...


def _replace_handlers(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Replace the handlers of this module; signals that are ignored, or handled by others, stay so."""
    for number in _HANDLED:
        if signal.getsignal(number) in (_request_exit, _ignore):
            signal.signal(number, handler)


def _exit_on_second_signal(reader: int) -> None:
    _wait_for_signal(reader, _HANDLED)
    time.sleep(_DUPLICATE_SECONDS)
    os.set_blocking(reader, False)
    with contextlib.suppress(BlockingIOError):
        while os.read(reader, 64):
            pass
    os.set_blocking(reader, True)
    number = _wait_for_signal(reader, (signal.SIGINT, signal.SIGTERM))
    with contextlib.suppress(OSError):
        os.write(2, b"emodetect: left at once; outputs may lack their end\n")
    call_if_imported("emodetect.system.temporary_folders", "remove_folders")
    call_if_imported("emodetect.system.child_processes", "kill_children")
    os._exit(_exit_code(number))


def call_if_imported(module: str, function: str) -> None:
    """Call a function that cleans up what its module has made, such as folders or children, at an exit; errors are ignored.

    If the module was not imported, it has made nothing, and at an exit importing is not safe.
    """
    if module in sys.modules:
        with contextlib.suppress(Exception):
            getattr(sys.modules[module], function)()


def _exit_code(number: int) -> int:
    """Exit code of a process ended by a signal, as in shells."""
    return 128 + number


def _wait_for_signal(reader: int, numbers: tuple[int, ...]) -> int:
    while True:
        (number,) = os.read(reader, 1)
        if number in numbers:
            return number
