"""The run of the command line: errors become one line on standard error and an exit code."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from typing import Any, NoReturn

import click

from emodetect.cli.group import COMPLETE_VARIABLE, cli
from emodetect.cli.hints import help_hint, usage_message, with_options
from emodetect.cli.messages import say, say_lines
from emodetect.cli.signals import EXIT_INTERRUPTED, Terminated, handle_signals
from emodetect.cli.standard_streams import STANDARD_OUTPUT, give_up, open_standard_streams
from emodetect.errors import EmodetectError, broken_package, first_line
from emodetect.media.pixel_limit import limit_pixels
from emodetect.system.environment import address_space, prepare_own_process, remove_caches, temporary_folder
from emodetect.system.native_output import is_debugging, set_debugging

_LEAST_ADDRESS_SPACE = 1_000_000_000
"""Bytes. With less, libraries cannot be loaded, and OpenBLAS tries for ever."""

_LEFT_BEHIND = ("reader", "classify", "load", "track", "publish", "websocket")
"""Threads that may still be inside a native call when all else has ended: reading a source, running a network, loading one,
writing a log to a pipe that nobody empties, publishing."""

# What newer versions of Click raise for a command without arguments; older ones print the help themselves.
_NoArguments: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _Lines(logging.Handler):
    """Warnings as errors are shown: one line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        ctx = click.get_current_context(silent=True) or click.Context(cli)  # other threads have none
        say(f"emodetect: {with_options(record.getMessage(), ctx)}")


def main() -> None:
    """Run the command line and exit with the documented code."""
    if "--debug" in sys.argv[1:]:
        set_debugging(True)  # before anything can fail; the option itself does so once it is read
    prepare_own_process()
    open_standard_streams()
    limit_pixels()
    logging.getLogger("emodetect").addHandler(_Lines())
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads our output has seen enough, as in `emodetect image ... | head -1`
        give_up(1, 2)
        code = 1
    except OSError as error:  # of standard output; `_run` lets no other through
        give_up(1)
        code = _report(error, f"standard output cannot be written ({error.strerror or error})", 1)
    _leave(code)


_SIGNALLED = 128
"""Exit codes above this are those of signals."""


def _leave(code: int) -> NoReturn:
    """End the process; outputs are closed by now.

    A thread that was left behind in a native call would, if that returns while Python takes itself down, abort the process. And
    where Ctrl-C came inside an `exec`, as there is in many an import, or a further signal comes while Python takes itself down,
    the process would end by the signal instead of this code.
    """
    if code > _SIGNALLED or any(thread.name in _LEFT_BEHIND for thread in threading.enumerate()):
        sys.stderr.flush()
        remove_caches()
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    """Run the command line and report what it raises; returns the exit code."""
    code: Any
    try:
        handle_signals()  # in here, since a signal may come at once
        if (room := address_space()) is not None and room < _LEAST_ADDRESS_SPACE:
            least = f"at least {_LEAST_ADDRESS_SPACE / 1e9:g} GB are needed"
            raise EmodetectError(f"this process may address {room / 1e9:.1f} GB (ulimit -v); {least}")
        if COMPLETE_VARIABLE in os.environ:
            importlib.import_module("emodetect.cli.shell_completion").check_words(os.environ[COMPLETE_VARIABLE])
        code = _call()
    except EmodetectError as error:
        code = _report(error, str(error), error.exit_code)
    except _NoArguments as error:
        error.show()  # the help, as it was laid out
        code = error.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            say_lines(f"{error.ctx.get_usage()}\n{help_hint(error.ctx)}")
        code = _report(error, usage_message(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("emodetect: interrupted")
        code = EXIT_INTERRUPTED
    except Terminated as error:
        code = error.exit_code
    except SystemExit as error:  # Click's, where the reader of standard output has gone away
        code = error.code
    except Exception as error:
        if isinstance(error, OSError) and error.filename == STANDARD_OUTPUT:
            raise
        code = _report(error, _unexpected(error), 1)
    return code if isinstance(code, int) else 0


def _call() -> Any:
    """Run the command; what is raised because of a signal becomes the signal's own exception again.

    An extension module that a signal interrupts while it is imported raises an ImportError from it.
    """
    try:
        return cli.main(complete_var=COMPLETE_VARIABLE, standalone_mode=False)
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (KeyboardInterrupt, Terminated)):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from None


def _unexpected(error: Exception) -> str:
    """What to say of an error that is none of ours: what the system refuses, and packages that are broken, have their reasons."""
    package = broken_package(error)
    is_about_no_file = isinstance(error, OSError) and error.filename is None
    if (is_about_no_file or package) and temporary_folder() is None:  # libraries say this in many ways, or not at all
        return "no folder for temporary files can be written to; name one in the variable TMPDIR"
    if isinstance(error, OSError) and error.strerror:
        if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        if isinstance(error, FileNotFoundError):  # what is asked for without a name is the current folder
            return "the current folder does not exist any more"
        return f"{error.strerror} (--debug shows where)"
    if package:
        return f"the package {package} is missing or broken ({first_line(error)}); 'emodetect doctor' says what helps"
    if isinstance(error, MemoryError) or "(-4:Insufficient memory)" in str(error):
        return "there is not enough memory (--debug shows where)"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _report(error: Exception, message: str, code: int) -> int:
    if is_debugging():
        import traceback

        say_lines("".join(traceback.format_exception(error)))
    say(f"emodetect: {message}")
    return code
