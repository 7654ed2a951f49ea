"""The command group, which imports commands when they are run."""

from __future__ import annotations

import importlib
from typing import Any

import click

from emodetect.cli.configuration import name_variables
from emodetect.cli.hints import error_message, meant_command
from emodetect.cli.messages import show
from emodetect.errors import EmodetectError

_COMMANDS = {
    "live": ("emodetect.cli.commands.live:live", "Show the emotions of the faces before a camera."),
    "image": ("emodetect.cli.commands.image:image", "Read the emotions off the faces in photos."),
    "video": ("emodetect.cli.commands.video:video", "Read the emotions off every frame of a clip."),
    "batch": ("emodetect.cli.commands.batch:batch", "Read many photos and clips: resumable, in parallel."),
    "serve": ("emodetect.cli.commands.serve:serve", "Serve a page and an interface for other programs."),
    "report": ("emodetect.cli.commands.report:report", "Make a page of a clip's log, for a browser."),
    "summarize": ("emodetect.cli.commands.summarize:summarize", "Make one table of many logs, for statistics."),
    "bench": ("emodetect.cli.commands.bench:bench", "Measure how fast this machine is."),
    "train": ("emodetect.cli.commands.train:train", "Train a network on labeled faces."),
    "runs": ("emodetect.cli.commands.runs:runs", "Compare training runs."),
    "evaluate": ("emodetect.cli.commands.evaluate:evaluate", "Judge models on labeled face crops."),
    "inspect": ("emodetect.cli.commands.inspect:inspect", "Show what a model file says of itself, and what is assumed."),
    "export": ("emodetect.cli.commands.export:export", "Turn a trained network into ONNX."),
    "doctor": ("emodetect.cli.commands.doctor:doctor", "Find out what is wrong here, and what helps."),
    "cameras": ("emodetect.cli.commands.cameras:cameras", "List the cameras."),
    "backends": ("emodetect.cli.commands.backends:backends", "List what can read emotions, and what it lacks."),
    "config": ("emodetect.cli.commands.config:config", "Show the options that a file or variables set."),
    "completion": ("emodetect.cli.commands.completion:completion", "Print what makes a shell complete commands and options."),
}
"""Import path of each command, and its short help, which is shown without importing it."""

COMPLETE_VARIABLE = "_EMODETECT_COMPLETE"
"""Variable set by a shell that requests completions, whatever the name of the program."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        command.short_help = _COMMANDS[cmd_name][1]  # for shells; Click would truncate the help itself
        name_variables(cmd_name, command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no command {name!r}{meant_command(name, _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EmodetectError as error:
            error.args, error.hint = (error_message(error, ctx),), None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


def _show_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        show(f"emodetect {version('emodetect')}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-V", "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
              help="Show the version.")  # fmt: skip
def cli() -> None:
    """Read emotions off faces: in photos, in clips, and live from a camera.

    What a face shows is not what a person feels. Scores say how a face would be labeled by people who see only the face.
    """
