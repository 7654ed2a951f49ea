"""Sources of option values: the command line, ``EMODETECT_*`` variables, a TOML file, the defaults.

    backend = "deepface"          # every command that has --backend; EMODETECT_BACKEND
    [live]
    source = "1"                  # live --source; EMODETECT_LIVE_SOURCE

The key or variable of a command takes precedence over the one for all commands, and variables over the file.
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

_WITHOUT_CONFIGURATION = {"completion", "config", "doctor"}
"""Commands that run despite an invalid file: a shell runs the first at its start, and the others diagnose the file."""

_SECRET = {"token"}
"""Options whose values are never shown."""

_ORIGIN, _PROBLEM = "emodetect.configuration", "emodetect.configuration.problem"

_COMMAND = "emodetect.command"

_MAX_BYTES = 1_000_000
"""Maximum size of a configuration file, bytes."""


class Setting(NamedTuple):
    """A value set by a variable or the file.

    Attributes:
        command: name of the command.
        option: long name of the option without dashes.
        value: the value as a variable would contain it.
        origin: the variable, or the file.
    """

    command: str
    option: str
    value: str
    origin: str


def configuration_path() -> Path:
    """Default path of the configuration file."""
    return Path(click.get_app_dir("emodetect")) / "config.toml"


def key_of(option: click.Option) -> str:
    """Key of an option in the file: its long name without dashes; of ``--x/--no-x`` the first."""
    return max(option.opts, key=len).lstrip("-")


def name_variables(name: str, command: click.Command) -> None:
    """Assign each option of a command its variables: for this command, and for all."""
    for option in _options(command):
        ending = key_of(option).replace("-", "_").upper()
        option.envvar = [f"{PREFIX}{name.upper()}_{ending}", f"{PREFIX}{ending}"]


def read_configuration(path: Path) -> dict[str, Any]:
    """Read the tables of a file.

    Raises:
        SourceError: the file is missing or cannot be read.
        UsageError: the file is not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        if path.is_fifo() and not path.is_relative_to("/dev") and not path.is_relative_to("/proc"):
            raise SourceError(f"{path}: is a named pipe, not a configuration file")  # opening it might block forever
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)  # a device may be endless
        if len(content) > _MAX_BYTES:
            raise UsageError(f"{path}: not a configuration file: more than {_MAX_BYTES:,} bytes")
        tables: dict[str, Any] = tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        raise SourceError(f"{path}: no such configuration file{did_you_mean_file(path)}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read as a configuration file ({error.strerror or error})") from error
    except RecursionError:
        raise UsageError(f"{path}: not a TOML file that can be read: lists or tables stand too deep in each other") from None
    except ValueError as error:  # includes invalid UTF-8
        raise UsageError(f'{path}: not a TOML file ({first_line(error)}); texts stand in quotes: source = "1"') from error
    return tables


def configuration_in_use(ctx: click.Context) -> Path:
    """Path of the configuration file of this run: from ``--config``, or the default, which need not exist."""
    path: Path = ctx.meta.get(_ORIGIN) or configuration_path()
    return path


def settings_of_all(ctx: click.Context) -> list[Setting]:
    """Values set by variables and the file, by command, variables before the file.

    Raises:
        UsageError: the file is invalid in any part.
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
    """Variables with our prefix that match no option, each with a message."""
    options = [option for command in _commands(ctx).values() for option in _options(command)]
    known = {name for option in options for name in option.envvar or ()}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return {name: f"{name} is no variable of any command{did_you_mean(name, known)}" for name in unknown}


def apply_configuration(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Use the file's values as defaults of this command; a callback for ``--config``.

    Raises:
        SourceError: the file of ``--config`` cannot be read.
        UsageError: a key is unknown, or a value has the wrong type.
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
        if ctx.info_name not in _WITHOUT_CONFIGURATION:
            raise
        ctx.meta[_PROBLEM] = error


def configuration_problem(ctx: click.Context) -> EmodetectError | None:
    """Error in the file, for commands that run despite it."""
    problem: EmodetectError | None = ctx.meta.get(_PROBLEM)
    return problem


def _commands(ctx: click.Context) -> dict[str, click.Command]:
    """All commands of the same group, by name."""
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    return {name: command for name in group.list_commands(ctx) if (command := group.get_command(ctx, name))}


def _check_tables(path: Path, tables: Mapping[str, Any], ctx: click.Context) -> None:
    """Check that each table is a command's, and each top-level key an option of at least one command.

    Raises:
        UsageError: a table or key is unknown.
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
    """Origin of a value, for the end of a message; empty if it is the command line."""
    if ctx is None or parameter is None or parameter.name is None:
        return ""
    source = ctx.get_parameter_source(parameter.name)
    if source is click.core.ParameterSource.ENVIRONMENT:
        return f" (from the variable {variable_in_use(parameter)})"
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return f" (from {ctx.meta.get(_ORIGIN)})"
    return ""


def variable_in_use(parameter: click.Parameter) -> str:
    """Variable that sets this option; empty if none does."""
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    return next((name for name in names if os.environ.get(name)), "")


def given_elsewhere(ctx: click.Context) -> list[str]:
    """Options of this run that are set by a variable or the file, each with its value and origin."""
    found = []
    for option in _options(ctx.command):
        if (where := origin(ctx, option)) and option.name in ctx.params:
            value = os.environ.get(variable_in_use(option)) or as_variable((ctx.default_map or {}).get(option.name))
            found.append(f"--{key_of(option)} {_shown(option, value)}{where}")
    return found


def _shown(option: click.Option, value: str) -> str:
    """Value for display; that of a secret is masked."""
    return "***" if option.name in _SECRET else value


def context_of_command(ctx: click.Context) -> click.Context:
    """Context of the command, from that of the group or its own."""
    found: click.Context = ctx.meta.get(_COMMAND, ctx)
    return found


def option_for(parameter: str, command: click.Command) -> click.Option | None:
    """Option of a command that sets a parameter with this Python name."""
    return next((option for option in _options(command) if parameter in (option.name, _python_name(key_of(option)))), None)


def _python_name(key: str) -> str:
    return key.replace("-", "_")


def _options(command: click.Command) -> Iterator[click.Option]:
    yield from (parameter for parameter in command.params if isinstance(parameter, click.Option))


def _keys(command: click.Command) -> dict[str, click.Option]:
    """Options that a file may set, by key."""
    return {key_of(option): option for option in _options(command) if key_of(option) not in _NOT_IN_A_FILE}


def _canonical(key: str) -> str:
    return key.replace("_", "-")


def _values(path: Path, tables: Mapping[str, Any], name: str, command: click.Command) -> Iterator[tuple[str, Any]]:
    """Values in the file for one command, by parameter name; a command's own table comes last."""
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
    """Check that a value has the option's type; Click checks ranges and choices.

    Raises:
        UsageError: the value has another type.
    """
    several = option.multiple or option.nargs != 1
    values = value if several and isinstance(value, list) else [value]
    types, expected = _types(option)
    for part in values:
        if isinstance(part, int) and abs(part) >= 2**63:  # outside TOML's range; Python may refuse to format it
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
    """Convert a value of the file to the text of a variable."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(value: Any) -> str:
    """Format a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return f'"{value}"' if isinstance(value, str) else str(value)
