"""What commands print: results on standard output, messages on standard error.

All text of a command goes through here (tables: `emodetect.cli.table`), so that nothing that came from outside reaches a terminal
with control characters or credentials in it. ``--quiet`` says less, ``--verbose`` more; errors always come.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import click

from emodetect.system.assumptions import ASSUMPTIONS
from emodetect.system.native_output import said_past_quiet
from emodetect.text.printable import one_line

_QUIET, _VERBOSE = "emodetect.quiet", "emodetect.verbose"


def set_verbosity(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Remember ``--quiet`` or ``--verbose`` for this run; a callback for both.

    Where a file or a variable asks for one and the command line for the other, the command line wins.
    """
    asked = ctx.meta.setdefault("emodetect.verbosity", {})
    if value:
        asked[parameter.name] = ctx.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
    if len(set(asked.values())) == 1 and len(asked) == 2:
        raise click.UsageError("--quiet and --verbose contradict each other; give one of them", ctx)
    winner = max(asked, key=lambda name: asked[name], default=None)
    ctx.meta[_QUIET], ctx.meta[_VERBOSE] = winner == "quiet", winner == "verbose"
    # By the logger, since a model may be loaded in a thread, which knows nothing of this run's options.
    logging.getLogger(ASSUMPTIONS).setLevel(logging.ERROR if winner == "quiet" else logging.NOTSET)


def is_quiet() -> bool:
    """Whether only errors are wanted."""
    return bool(_meta().get(_QUIET))


def shows_progress() -> bool:
    """Whether progress is shown: on a terminal, unless quiet."""
    return sys.stderr.isatty() and not is_quiet()


def show(text: str = "") -> None:
    """Print a line of results on standard output."""
    click.echo(one_line(text), file=sys.stdout)


def show_json(value: object) -> None:
    """Print results as JSON, in which all but ASCII is escaped; addresses in it are the caller's to make public."""
    click.echo(json.dumps(value, indent=2), file=sys.stdout)


def say(text: str) -> None:
    """Say a line on standard error, above a progress bar if there is one.

    Without its file `click.echo` would write past Rich, which keeps the bar below, and leave the text on the bar's line.
    """
    line = one_line(text)
    if not said_past_quiet(line):
        click.echo(line, file=sys.stderr)


def say_lines(text: str) -> None:
    """Say several lines on standard error, such as a traceback, indented as they are."""
    for line in text.splitlines():
        click.echo(" " * (len(line) - len(line.lstrip())) + one_line(line), file=sys.stderr)


def note(text: str) -> None:
    """Say something that is no error, unless quiet."""
    if not is_quiet():
        say(text)


def detail(text: str) -> None:
    """Say what is used, if ``--verbose`` asks for it."""
    if _meta().get(_VERBOSE):
        say(f"emodetect: {text}")


def _meta() -> dict[str, Any]:
    ctx = click.get_current_context(silent=True)
    return ctx.meta if ctx else {}
