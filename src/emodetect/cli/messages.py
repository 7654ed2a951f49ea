"""Output of commands: results on standard output, messages on standard error.

All text of a command is printed here (tables: `emodetect.cli.table`), so that no control characters or credentials of untrusted
text reach a terminal. ``--quiet`` suppresses notes, ``--verbose`` adds details; errors are always printed.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import click

from emodetect.system.assumptions import ASSUMPTIONS
from emodetect.system.native_output import write_unsilenced
from emodetect.text.printable import one_line

_QUIET, _VERBOSE = "emodetect.quiet", "emodetect.verbose"


def set_verbosity(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Store ``--quiet`` or ``--verbose`` for this run; a callback for both.

    If a file or a variable sets one and the command line the other, the command line takes precedence.
    """
    from_command_line = ctx.meta.setdefault("emodetect.verbosity", {})
    if value:
        from_command_line[parameter.name] = (
            ctx.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        )
    if len(set(from_command_line.values())) == 1 and len(from_command_line) == 2:
        raise click.UsageError("--quiet and --verbose cannot be combined", ctx)
    winner = max(from_command_line, key=lambda name: from_command_line[name], default=None)
    ctx.meta[_QUIET], ctx.meta[_VERBOSE] = winner == "quiet", winner == "verbose"
    # By the logger, since models are loaded in threads, which have no Click context.
    logging.getLogger(ASSUMPTIONS).setLevel(logging.ERROR if winner == "quiet" else logging.NOTSET)


def is_quiet() -> bool:
    """Whether only errors are printed."""
    return bool(_context_meta().get(_QUIET))


def shows_progress() -> bool:
    """Whether progress is shown: on a terminal, unless quiet."""
    return sys.stderr.isatty() and not is_quiet()


def show(text: str = "") -> None:
    """Print a line of results to standard output."""
    click.echo(one_line(text), file=sys.stdout)


def show_json(value: object) -> None:
    """Print results as ASCII-only JSON; the caller removes secrets from URLs."""
    click.echo(json.dumps(value, indent=2), file=sys.stdout)


def print_message(text: str) -> None:
    """Print a line to standard error, above a progress bar if there is one.

    Without ``file``, `click.echo` would bypass Rich, which keeps the bar below, and leave the text on the bar's line.
    """
    line = one_line(text)
    if not write_unsilenced(line):
        click.echo(line, file=sys.stderr)


def print_lines(text: str) -> None:
    """Print several lines to standard error, such as a traceback, with their indentation."""
    for line in text.splitlines():
        click.echo(" " * (len(line) - len(line.lstrip())) + one_line(line), file=sys.stderr)


def note(text: str) -> None:
    """Print a note to standard error, unless ``--quiet``."""
    if not is_quiet():
        print_message(text)


def detail(text: str) -> None:
    """Print a detail to standard error, with ``--verbose``."""
    if _context_meta().get(_VERBOSE):
        print_message(f"emodetect: {text}")


def _context_meta() -> dict[str, Any]:
    ctx = click.get_current_context(silent=True)
    return ctx.meta if ctx else {}
