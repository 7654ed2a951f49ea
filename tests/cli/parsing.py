"""Reading a command line without doing what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest.mock import patch

import click

from emodetect.cli.group import cli


def command_names() -> list[str]:
    """All commands."""
    return cli.list_commands(click.Context(cli))


def command_named(name: str) -> click.Command:
    """A command as the program has it."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def options() -> Iterator[tuple[str, click.Option]]:
    """Every option of every command, with the command's name."""
    for name in command_names():
        for parameter in command_named(name).params:
            if isinstance(parameter, click.Option):
                yield name, parameter


def parse(name: str, *arguments: str) -> click.Context:
    """What a command line means, with variables and the configuration file."""
    root = click.Context(cli, info_name="emodetect")
    with patch.dict(os.environ):  # --max-pixels and --debug pass themselves on by the environment
        return command_named(name).make_context(name, list(arguments), parent=root)
