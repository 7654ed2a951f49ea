"""Options from elsewhere than the command line: ``EMODETECT_*`` variables, then a TOML file, then the default.

    backend = "deepface"          # every command that has --backend; EMODETECT_BACKEND
    [live]
    source = "1"                  # live --source; EMODETECT_LIVE_SOURCE

A command's own key or variable goes before the one for all commands, and variables go before the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from emodetect.errors import EmodetectError, SourceError, UsageError, about, first_line
from emodetect.text.suggestions import did_you_mean, did_you_mean_file

PREFIX = "EMODETECT_"

_NOT_IN_A_FILE = {"help", "config", "version"}

_WITH_A_BROKEN_FILE = {"completion", "config", "doctor"}
"""Commands that run with a file that is wrong: a shell starts with the first, and the others are asked what it is."""

_SECRET = {"token"}
"""Options whose value is shown nowhere."""

_ORIGIN, _PROBLEM = "emodetect.configuration", "emodetect.configuration.problem"

_COMMAND = "emodetect.command"

_MOST_BYTES = 1_000_000
"""Of a configuration file."""


class Setting(NamedTuple):
    """What a variable or the file sets.

    Attributes:
        command: the command's name.
        option: the option's long name without dashes.
        value: as a variable would have it.
        origin: the variable, or the file.
    """

    command: str
    option: str
    value: str
    origin: str


def configuration_path() -> Path:
    """Where the file is looked for that ``--config`` does not name."""
    return Path(click.get_app_dir("emodetect")) / "config.toml"


def key_of(option: click.Option) -> str:
    """What an option is called in the file: its long name without the dashes; of ``--x/--no-x`` the first."""
    return max(option.opts, key=len).lstrip("-")


def name_variables(name: str, command: click.Command) -> None:
    """Give each option of a command its variables: for this command, and for all."""
    for option in _options(command):
        ending = key_of(option).replace("-", "_").upper()
        option.envvar = [f"{PREFIX}{name.upper()}_{ending}", f"{PREFIX}{ending}"]


def read_configuration(path: Path) -> dict[str, Any]:
    """The tables of a file.

    Raises:
        SourceError: it is missing or cannot be read.
        UsageError: it is not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        if path.is_fifo() and not path.is_relative_to("/dev") and not path.is_relative_to("/proc"):
            raise SourceError(f"{path}: is a named pipe, not a configuration file")  # to which perhaps nobody ever writes
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)  # a device may never end
        if len(content) > _MOST_BYTES:
            raise UsageError(f"{path}: not a configuration file: more than {_MOST_BYTES:,} bytes")
        tables: dict[str, Any] = tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        raise SourceError(f"{path}: no such configuration file{did_you_mean_file(path)}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read as a configuration file ({error.strerror or error})") from error
    except RecursionError:
        raise UsageError(f"{path}: not a TOML file that can be read: lists or tables stand too deep in each other") from None
    except ValueError as error:  # also what is no UTF-8
        raise UsageError(f'{path}: not a TOML file ({first_line(error)}); texts stand in quotes: source = "1"') from error
    return tables


def configuration_in_use(ctx: click.Context) -> Path:
    """The file that this run looks at: the named one, else the platform's, which need not exist."""
    path: Path = ctx.meta.get(_ORIGIN) or configuration_path()
    return path


def settings_of_all(ctx: click.Context) -> list[Setting]:
    """What variables and the file set, command by command, variables before the file.

    Raises:
        UsageError: any part of the file is wrong.
    """
    path = configuration_in_use(ctx)
    tables = read_configuration(path) if os.path.isfile(path) else {}
    found = []
    for name, command in _commands(ctx).items():
        values = dict(_values(path, tables, name, command))
        for option in _options(command):
            if variable := variable_in_use(option):
                found.append(Setting(name, key_of(option), _shown(option, os.environ[variable]), variable))
            elif option.name in values:
                found.append(Setting(name, key_of(option), _shown(option, as_variable(values[option.name])), str(path)))
    return found


def unknown_variables(ctx: click.Context) -> dict[str, str]:
    """Variables that look like ours and are none, each with a message."""
    options = [option for command in _commands(ctx).values() for option in _options(command)]
    known = {name for option in options for name in option.envvar or ()}
    strays = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return {name: f"{name} is no variable of any command{did_you_mean(name, known)}" for name in strays}


def apply_configuration(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Make the file's values the defaults of this command; a callback for ``--config``.

    Raises:
        SourceError: the file that was named cannot be read.
        UsageError: a key is unknown, or a value of the wrong type.
    """
    ctx.meta[_COMMAND] = ctx
    path = value or configuration_path()
    if ctx.resilient_parsing or (value is None and not os.path.isfile(path)):
        return
    ctx.meta[_ORIGIN] = path
    try:
        with about(parameter.name or "", SourceError):
            tables = read_configuration(path)
        _check_tables(path, tables, ctx)
        ctx.default_map = dict(_values(path, tables, ctx.info_name or "", ctx.command))
    except EmodetectError as error:
        if ctx.info_name not in _WITH_A_BROKEN_FILE:
            raise
        ctx.meta[_PROBLEM] = error


def configuration_problem(ctx: click.Context) -> EmodetectError | None:
    """What is wrong with the file, for the commands that run all the same."""
    problem: EmodetectError | None = ctx.meta.get(_PROBLEM)
    return problem


def _commands(ctx: click.Context) -> dict[str, click.Command]:
    """All commands beside this one, by name."""
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    return {name: command for name in group.list_commands(ctx) if (command := group.get_command(ctx, name))}


def _check_tables(path: Path, tables: Mapping[str, Any], ctx: click.Context) -> None:
    """See that each table is a command's, and each key outside of them an option of at least one.

    Raises:
        UsageError: one is not.
    """
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    names = group.list_commands(ctx)
    for key, value in tables.items():
        if isinstance(value, dict) and key not in names:
            raise UsageError(f"{path}: [{key}] is no command{did_you_mean(key, names)}")
    if outside := [key for key, value in tables.items() if not isinstance(value, dict)]:
        known = {key for command in _commands(ctx).values() for key in _keys(command)}
        for key in outside:
            if _canonical(key) not in known:
                raise UsageError(f"{path}: {key} is no option of any command{did_you_mean(key, known)}")


def origin(ctx: click.Context | None, parameter: click.Parameter | None) -> str:
    """Where a value comes from that the command line did not give, for the end of a message; nothing where it did."""
    if ctx is None or parameter is None or parameter.name is None:
        return ""
    source = ctx.get_parameter_source(parameter.name)
    if source is click.core.ParameterSource.ENVIRONMENT:
        return f" (from the variable {variable_in_use(parameter)})"
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return f" (from {ctx.meta.get(_ORIGIN)})"
    return ""


def variable_in_use(parameter: click.Parameter) -> str:
    """The variable that gives this option its value, if one does."""
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    return next((name for name in names if os.environ.get(name)), "")


def given_elsewhere(ctx: click.Context) -> list[str]:
    """Each option of this run that comes from a variable or the file, with its value and where it comes from."""
    found = []
    for option in _options(ctx.command):
        if (where := origin(ctx, option)) and option.name in ctx.params:
            value = os.environ.get(variable_in_use(option)) or as_variable((ctx.default_map or {}).get(option.name))
            found.append(f"--{key_of(option)} {_shown(option, value)}{where}")
    return found


def _shown(option: click.Option, value: str) -> str:
    """A value as it may be shown: that of a secret is not."""
    return "***" if option.name in _SECRET else value


def context_of_command(ctx: click.Context) -> click.Context:
    """The context of the command that runs, or ran, from that of the group or its own."""
    found: click.Context = ctx.meta.get(_COMMAND, ctx)
    return found


def option_for(parameter: str, command: click.Command) -> click.Option | None:
    """The option of a command that sets a parameter of this name in Python."""
    return next((option for option in _options(command) if parameter in (option.name, _python_name(key_of(option)))), None)


def _python_name(key: str) -> str:
    return key.replace("-", "_")


def _options(command: click.Command) -> Iterator[click.Option]:
    yield from (parameter for parameter in command.params if isinstance(parameter, click.Option))


def _keys(command: click.Command) -> dict[str, click.Option]:
    """The options that a file may give, by key."""
    return {key_of(option): option for option in _options(command) if key_of(option) not in _NOT_IN_A_FILE}


def _canonical(key: str) -> str:
    return key.replace("_", "-")


def _values(path: Path, tables: Mapping[str, Any], name: str, command: click.Command) -> Iterator[tuple[str, Any]]:
    """What the file says for one command: the parameter's name and its value; a command's own table comes last."""
    keys = _keys(command)
    for key, value in tables.items():
        if not isinstance(value, dict) and (option := keys.get(_canonical(key))):
            yield option.name or "", _checked(f"{path}: {key}", option, value)
    for key, value in tables.get(name, {}).items():
        option = keys.get(_canonical(key))
        if option is None:
            raise UsageError(f"{path}: [{name}] {key} is no option of {name}{did_you_mean(key, keys)}")
        yield option.name or "", _checked(f"{path}: [{name}] {key}", option, value)


def _checked(where: str, option: click.Option, value: Any) -> Any:
    """The value, if it is of the option's type; ranges and choices are Click's to check.

    Raises:
        UsageError: it is not.
    """
    several = option.multiple or option.nargs != 1
    values = value if several and isinstance(value, list) else [value]
    types, expected = _types(option)
    for part in values:
        if isinstance(part, int) and abs(part) >= 2**63:  # more than TOML has; Python may refuse to write it out
            raise UsageError(f"{where}: the number is too large")
        if isinstance(part, str) and "\0" in part:
            raise UsageError(f"{where}: holds the character NUL, which no option takes")
        if not isinstance(part, types) or (isinstance(part, bool) and bool not in types):
            raise UsageError(f"{where}: expected {expected}{' or a list of them' if several else ''}, got {_toml(part)}")
    return values if option.multiple else value


def _types(option: click.Option) -> tuple[tuple[type, ...], str]:
    if option.is_flag:
        return (bool,), "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return (int,), "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return (int, float), "a number"
    if isinstance(option.type, click.Path | click.Choice):
        return (str,), "a text in quotes"
    return (str, int, float), "a text in quotes"  # camera 1 and a face of 64 pixels may be numbers


def as_variable(value: Any) -> str:
    """A value of the file as a variable would have it."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(value: Any) -> str:
    """A value as the file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return f'"{value}"' if isinstance(value, str) else str(value)
