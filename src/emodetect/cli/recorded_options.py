"""Recorded options of a run, for resuming it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from emodetect.cli.configuration import as_variable, key_of, variable_in_use

_GIVEN_KEY, _TAKEN_OVER_KEY = "emodetect.given", "emodetect.taken_over"


class ResumableCommand(click.Command):
    """A command whose ``--resume FOLDER`` uses the recorded options of the run in that folder.

    Options of the command line take precedence over them.
    """

    left_out: ClassVar[Collection[str]] = ()
    """Names of options that are not recorded."""

    def recorded(self, folder: Path, shard: str | None) -> Sequence[str]:
        """Recorded options of the run, or of a shard of it, in a folder; empty without a run."""
        raise NotImplementedError

    def portable(self, name: str, value: Any) -> Any:
        """Convert the value of an option to one that means the same in any folder; by default unchanged."""
        return value

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and take the remaining options from the resumed run."""
        if not ctx.resilient_parsing:
            given = self._raw(ctx, args)
            if isinstance(folder := given.get("resume"), str) and folder:
                recorded = self.recorded(Path(folder), given.get("shard"))
                ctx.meta[_TAKEN_OVER_KEY] = [one for one in recorded if not {*self._raw(ctx, [one])} <= {*given}]
                args = [*recorded, *args]
                given = self._raw(ctx, args)
            ctx.meta[_GIVEN_KEY] = given
        return super().parse_args(ctx, args)

    def _raw(self, ctx: click.Context, args: list[str]) -> dict[str, Any]:
        """Unconverted values of the options on a command line; empty if it is invalid, which is reported elsewhere."""
        try:
            return self.make_parser(ctx).parse_args(args=list(args))[0]
        except click.UsageError:
            return {}

    def taken_over(self, ctx: click.Context) -> list[str]:
        """Recorded options of the resumed run that this command line does not contain."""
        return list(ctx.meta.get(_TAKEN_OVER_KEY, ()))

    def given(self, ctx: click.Context) -> list[str]:
        """Explicit options of this run, from any source: ``--name=value``, or ``--name`` for a flag."""
        found = []
        for option in self.params:
            if not isinstance(option, click.Option) or option.name is None or option.name in self.left_out:
                continue
            source, value = ctx.get_parameter_source(option.name), ctx.meta[_GIVEN_KEY].get(option.name)
            if source is ParameterSource.ENVIRONMENT:
                value = os.environ[variable_in_use(option)]
            elif source is ParameterSource.DEFAULT_MAP:
                value = as_variable((ctx.default_map or {}).get(option.name))
            elif source is not ParameterSource.COMMANDLINE:
                continue
            if not option.is_flag:
                found.append(f"--{key_of(option)}={self.portable(option.name, value)}")
            elif click.BOOL.convert(value, option, ctx):
                found.append(f"--{key_of(option)}")
            elif option.secondary_opts:
                found.append(option.secondary_opts[0])
        return found
