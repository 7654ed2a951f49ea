"""The options that a run was given, kept so that it can go on with the same ones."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from emodetect.cli.configuration import as_variable, key_of, variable_in_use

_GIVEN = "emodetect.given"


class ResumableCommand(click.Command):
    """A command whose ``--resume FOLDER`` goes on with the options of the run in that folder.

    They stand before those of the command line, which count if they say something else.
    """

    left_out: ClassVar[Collection[str]] = ()
    """Names of the options that a run does not keep."""

    def recorded(self, folder: Path, shard: str | None) -> Sequence[str]:
        """The options of the run in a folder, or in the folder of this shard in it; none where there is no run."""
        raise NotImplementedError

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and take what is missing from the run that goes on."""
        if not ctx.resilient_parsing:
            given = self._raw(ctx, args)
            if isinstance(folder := given.get("resume"), str) and folder:
                args = [*self.recorded(Path(folder), given.get("shard")), *args]
                given = self._raw(ctx, args)
            ctx.meta[_GIVEN] = given
        return super().parse_args(ctx, args)

    def _raw(self, ctx: click.Context, args: list[str]) -> dict[str, Any]:
        """What a command line says for each option, as it was typed; nothing where it is wrong, which is said elsewhere."""
        try:
            return self.make_parser(ctx).parse_args(args=list(args))[0]
        except click.UsageError:
            return {}

    def given(self, ctx: click.Context) -> list[str]:
        """The options that this run was given, wherever: ``--name=value``, or ``--name`` for a flag."""
        found = []
        for option in self.params:
            if not isinstance(option, click.Option) or option.name is None or option.name in self.left_out:
                continue
            source, value = ctx.get_parameter_source(option.name), ctx.meta[_GIVEN].get(option.name)
            if source is ParameterSource.ENVIRONMENT:
                value = os.environ[variable_in_use(option)]
            elif source is ParameterSource.DEFAULT_MAP:
                value = as_variable((ctx.default_map or {}).get(option.name))
            elif source is not ParameterSource.COMMANDLINE:
                continue
            if not option.is_flag:
                found.append(f"--{key_of(option)}={value}")
            elif click.BOOL.convert(value, option, ctx):
                found.append(f"--{key_of(option)}")
            elif option.secondary_opts:
                found.append(option.secondary_opts[0])
        return found
