"""Usage errors in plain words, with suggestions."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator

import click

from emodetect.cli.configuration import context_of_command, key_of, option_for, origin
from emodetect.errors import EmodetectError
from emodetect.text.suggestions import command_for, did_you_mean

_SOURCES = ("--cam", "--camera", "--clip", "--device", "--file", "--input", "--stream", "--url", "--video", "--webcam")

_SIMILAR_OPTIONS = {
    **dict.fromkeys(_SOURCES, "--source"),
    **dict.fromkeys(("--confidence", "--min-confidence", "--threshold"), "--uncertain"),
    **dict.fromkeys(("--csv", "--json"), "--log"),
    **dict.fromkeys(("--folder", "--out", "--outfile", "--save"), "--output"),
    **dict.fromkeys(("--headless", "--no-display", "--no-gui"), "--no-window"),
    **dict.fromkeys(("--flip", "--selfie"), "--mirror"),
    **dict.fromkeys(("--force", "--yes"), "--overwrite"),
    **dict.fromkeys(("--lang", "--locale"), "--language"),
    **dict.fromkeys(("--skip", "--stride"), "--every"),
    **dict.fromkeys(("--weights", "--network"), "--model"),
}
"""Options of other programs, and their equivalents here."""

_FORMATS = ("--csv", "--json", "--table")
"""Options of other programs that mean ``--format`` with this name."""

_PLAIN_MESSAGES = {
    "is not a valid float range": "is no number",
    "is not a valid integer range": "is no whole number",
    "is not a valid float": "is no number",
    "is not a valid integer": "is no whole number",
    "is not a valid boolean": "is neither true nor false",
}
"""Replacements for Click's messages about values."""


def suggest_command(name: str, commands: Iterable[str]) -> str:
    """Suggestion for an unknown command: a similar one, or the one that reads this file."""
    if os.path.exists(name):
        command = command_for(name) or "image"
        kind = "folder" if os.path.isdir(name) else "file"
        return f", but there is a {kind} of that name; did you mean 'emodetect {command} {name}'?"
    if name in ("help", "version"):
        return f"; did you mean 'emodetect --{name}'?"
    return did_you_mean(name, commands) or f"; there are {', '.join(commands)}"


def error_message(error: EmodetectError, ctx: click.Context) -> str:
    """Message of an error, with options in place of parameters, and the origin of the value unless it is the command line."""
    command = context_of_command(ctx)
    wrong = option_for(error.parameter, command.command) if error.parameter else None
    return with_options(str(error), ctx) + origin(command, wrong)


def with_options(text: str, ctx: click.Context) -> str:
    """Replace the parameters in backquotes by options, preferably of the running command."""

    def option(found: re.Match[str]) -> str:
        known = next(filter(None, (option_for(found[1], command) for command in _commands_in_order(ctx))), None)
        return f"--{key_of(known)}" if known else found[0]

    return re.sub(r"`([a-z_]+)`", option, text)


def _commands_in_order(ctx: click.Context) -> Iterator[click.Command]:
    """Yield the running command, then the others, which are imported only then; skips those with missing packages."""
    yield context_of_command(ctx).command
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    for name in group.list_commands(ctx):
        with contextlib.suppress(ImportError):
            if command := group.get_command(ctx, name):
                yield command


def usage_message(error: click.ClickException) -> str:
    """Message of a usage error of Click, with the origin of the value unless it is the command line."""
    text = error.format_message()
    if isinstance(error, click.BadParameter):
        for original, plainer in _PLAIN_MESSAGES.items():
            text = text.replace(original, plainer)
        return text.partition(" Recognized values")[0] + origin(error.ctx, error.param)
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        if isinstance(error.ctx.command, click.Group) and (hint := _suggested_place(error.option_name, error.ctx)):
            return hint
        return f"No such option '{error.option_name}'{_suggested_option(error.option_name, error.ctx)}"
    if type(error) is click.UsageError and error.ctx is not None and "unexpected extra argument" in text:
        return f"{text}; {_arguments(error.ctx)}"
    return text


def _suggested_option(option: str, ctx: click.Context) -> str:
    """Suggestion for an unknown option of a command."""
    known = {name: parameter for parameter in ctx.command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if option in _FORMATS and isinstance(choice := getattr(known.get("--format"), "type", None), click.Choice):
        if option[2:] in choice.choices:
            return f"; did you mean --format {option[2:]}?"
    elif _SIMILAR_OPTIONS.get(option) in known:
        return f"; did you mean {_SIMILAR_OPTIONS[option]}?"
    if option in (*_SOURCES, "--source") and (names := _argument_names(ctx)):
        return f"; {' '.join(names)} is named without an option"
    return did_you_mean(option, [name for name in known if name.startswith("--")])


def _suggested_place(option: str, ctx: click.Context) -> str:
    """Suggestion for an option before the command: its place after the named command, or after the first that has it."""
    group = ctx.command
    assert isinstance(group, click.Group)
    commands = group.list_commands(ctx)
    named = [word for word in sys.argv[1:] if word in commands][:1]
    for name in named or commands:
        command = group.get_command(ctx, name)
        if command is not None and any(option in (*other.opts, *other.secondary_opts) for other in command.params):
            return f"No such option '{option}'; options stand after the command, as in 'emodetect {name} {option}'"
    return ""


def _arguments(ctx: click.Context) -> str:
    """Names of a command's arguments."""
    if names := _argument_names(ctx):
        return f"'{ctx.info_name}' takes {' '.join(names)} and options"
    return f"'{ctx.info_name}' takes options only{'; did you mean --source?' if _takes_source(ctx) else ''}"


def _argument_names(ctx: click.Context) -> list[str]:
    return [parameter.human_readable_name for parameter in ctx.command.params if isinstance(parameter, click.Argument)]


def _takes_source(ctx: click.Context) -> bool:
    return any("--source" in parameter.opts for parameter in ctx.command.params)


def help_hint(ctx: click.Context) -> str:
    """Line that refers to a command's help."""
    return f"Try '{ctx.command_path} --help'."
