"""Main function of the command line: errors become one line on standard error and an exit code."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from importlib.util import find_spec
from typing import Any, NoReturn

import click

from emodetect.cli.group import COMPLETE_VARIABLE, cli
from emodetect.cli.hints import help_hint, usage_message, with_options
from emodetect.cli.messages import print_lines, print_message
from emodetect.cli.signals import EXIT_INTERRUPTED, Terminated, call_if_imported, handle_signals, ignore_signals
from emodetect.cli.standard_streams import STANDARD_OUTPUT, discard, open_standard_streams
from emodetect.errors import EmodetectError, broken_package, first_line
from emodetect.media.pixel_limit import limit_pixels
from emodetect.system.environment import limit, prepare_own_process, remove_caches, temporary_folder
from emodetect.system.install_hints import package_cure
from emodetect.system.native_output import is_debugging, set_debugging

_MIN_MEMORY = {"RLIMIT_AS": ("address", "-v", 1_000_000_000), "RLIMIT_DATA": ("hold", "-d", 600_000_000)}
"""Resource limits: what each restricts, its option of ``ulimit``, and the minimum, bytes. With less, libraries cannot be loaded,
crash, or retry forever, as OpenBLAS does."""

_ABANDONED = ("reader", "ahead", "classify", "load", "track", "publish", "websocket")
"""Threads that may still be inside a native call at exit: reading a source, working ahead of another thread, running or loading a
network, writing a log to a full pipe, publishing."""

# Raised by newer versions of Click for a command without arguments; older ones print the help themselves.
_NoArguments: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _Lines(logging.Handler):
    """Prints warnings as errors are printed: one line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        ctx = click.get_current_context(silent=True) or click.Context(cli)  # other threads have none
        print_message(f"emodetect: {with_options(record.getMessage(), ctx)}")


def main() -> None:
    """Run the command line and exit with the documented code."""
    if "--debug" in sys.argv[1:]:
        set_debugging(True)  # before anything can fail; the option itself is parsed later
    prepare_own_process()
    try:
        open_standard_streams()
    except OSError as error:
        sys.exit(f"emodetect: {os.devnull}: {error.strerror}; programs need it, as in a container that mounts /dev")
    limit_pixels()
    logging.getLogger("emodetect").addHandler(_Lines())
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as in `emodetect image ... | head -1`
        discard(1, 2)
        code = 1
    except OSError as error:  # on standard output; `_run_command` handles all others
        discard(1)
        code = _report(error, f"standard output cannot be written ({error.strerror or error})", 1)
    _end_process(code)


_SIGNAL_OFFSET = 128
"""Offset of the exit codes of signals."""


def _end_process(code: int) -> NoReturn:
    """Exit at once; outputs are closed already.

    If a thread in a native call returned during Python's shutdown, it would abort the process. After a Ctrl-C inside an `exec`,
    as in many imports, Python's shutdown would end the process by the signal instead of this code.
    """
    if code > _SIGNAL_OFFSET or any(thread.name in _ABANDONED for thread in threading.enumerate()):
        sys.stderr.flush()
        remove_caches()
        call_if_imported("emodetect.system.child_processes", "wait_for_starts")
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    """Run the command line; returns the exit code, which no signal changes afterwards."""
    try:
        handle_signals()  # inside the try block, since a signal may arrive at once
        code = _run_command()
        ignore_signals()
    except (click.Abort, KeyboardInterrupt):
        print_message("emodetect: interrupted")
        code = EXIT_INTERRUPTED
    except Terminated as error:
        if error.reason:
            print_message(f"emodetect: {error.reason}")
        code = error.exit_code
    return code


def _run_command() -> int:
    """Run the command and report its errors; returns the exit code."""
    code: Any
    try:
        _check_limits()
        if os.environ.get(COMPLETE_VARIABLE):
            importlib.import_module("emodetect.cli.shell_completion").check_words(os.environ[COMPLETE_VARIABLE])
        code = _call()
    except EmodetectError as error:
        code = _report(error, str(error), error.exit_code)
    except _NoArguments as error:
        error.show()  # the formatted help
        code = error.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            print_lines(f"{error.ctx.get_usage()}\n{help_hint(error.ctx)}")
        code = _report(error, usage_message(error), error.exit_code)
    except click.Abort:  # raised by Click after a KeyboardInterrupt
        raise
    except SystemExit as error:  # raised by Click if the reader of standard output has closed it
        code = error.code
    except Exception as error:
        if isinstance(error, OSError) and error.filename == STANDARD_OUTPUT:
            raise
        code = _report(error, _unexpected(error), 1)
    return code if isinstance(code, int) else 0


def _call() -> Any:
    """Run the command; what is raised because of a signal becomes the signal's own exception again.

    An extension module that a signal interrupts while it is imported raises an ImportError from it. A condition that a signal
    interrupts while it acquires its lock again raises a RuntimeError afterwards, because it does not hold the lock.
    """
    try:
        return cli.main(complete_var=COMPLETE_VARIABLE, standalone_mode=False)
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (KeyboardInterrupt, Terminated)):
            cause = cause.__cause__ or (cause.__context__ if isinstance(cause, RuntimeError) else None)
        if cause is None:
            raise
        raise cause from None


def _check_limits() -> None:
    for name, (verb, option, minimum) in _MIN_MEMORY.items():
        if (room := limit(name)) is not None and room < minimum:
            limited = f"this process may {verb} {room / 1e9:.1f} GB (ulimit {option})"
            raise EmodetectError(f"{limited}; at least {minimum / 1e9:g} GB are needed")


def _unexpected(error: Exception) -> str:
    """Message for an unexpected error; system errors and broken packages are explained."""
    package = broken_package(error)
    is_about_no_file = isinstance(error, OSError) and error.filename is None
    if (is_about_no_file or package) and temporary_folder() is None:  # libraries report this in many ways, or not at all
        return "no folder for temporary files can be written to; name one in the variable TMPDIR"
    if isinstance(error, OSError) and error.strerror:
        if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        if isinstance(error, FileNotFoundError):  # without a name, the current folder is missing
            return "the current folder does not exist any more"
        return f"{error.strerror} (--debug shows where)"
    if package:
        return _unusable(package, error)
    if isinstance(error, MemoryError) or "(-4:Insufficient memory)" in str(error):
        return "there is not enough memory (--debug shows where)"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _unusable(package: str, error: Exception) -> str:
    """Message for a package that is not installed, as in a light installation, or broken."""
    if find_spec(package) is None:
        return f"the package {package} is not installed; {package_cure(package)}"
    return f"the package {package} is missing or broken ({first_line(error)}); 'emodetect doctor' says what helps"


def _report(error: Exception, message: str, code: int) -> int:
    if is_debugging():
        import traceback

        print_lines("".join(traceback.format_exception(error)))
    print_message(f"emodetect: {message}")
    return code
