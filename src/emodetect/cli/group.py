"""The command group, which imports commands when they are run."""

from __future__ import annotations

import importlib
from typing import Any

import click

from emodetect.cli.configuration import name_variables
from emodetect.cli.hints import error_message, suggest_command
from emodetect.cli.messages import show
from emodetect.errors import EmodetectError

_COMMANDS = {
    "live": ("emodetect.cli.commands.live:live", "Show the emotions of faces in live video."),
    "image": ("emodetect.cli.commands.image:image", "Classify the emotions of faces in photos."),
    "video": ("emodetect.cli.commands.video:video", "Classify the emotions of faces in every frame of a clip."),
    "batch": ("emodetect.cli.commands.batch:batch", "Analyze many photos and clips in parallel, with resume."),
    "serve": ("emodetect.cli.commands.serve:serve", "Start a web server with a page and an API."),
    "report": ("emodetect.cli.commands.report:report", "Make an HTML report from a log."),
    "summarize": ("emodetect.cli.commands.summarize:summarize", "Make one table from many logs, for statistics."),
    "bench": ("emodetect.cli.commands.bench:bench", "Measure the speed on this machine."),
    "train": ("emodetect.cli.commands.train:train", "Train a network on labeled faces."),
    "runs": ("emodetect.cli.commands.runs:runs", "Compare training runs."),
    "evaluate": ("emodetect.cli.commands.evaluate:evaluate", "Evaluate models on labeled face crops."),
    "inspect": ("emodetect.cli.commands.inspect:inspect", "Show the properties of a model file."),
    "export": ("emodetect.cli.commands.export:export", "Convert a model or a training run to ONNX."),
    "doctor": ("emodetect.cli.commands.doctor:doctor", "Check the installation and print solutions."),
    "cameras": ("emodetect.cli.commands.cameras:cameras", "List the cameras."),
    "backends": ("emodetect.cli.commands.backends:backends", "List the emotion backends."),
    "config": ("emodetect.cli.commands.config:config", "Show the configuration file and its settings."),
    "completion": ("emodetect.cli.commands.completion:completion", "Print the shell completion script."),
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
            raise click.UsageError(f"no command {name!r}{suggest_command(name, _COMMANDS)}", ctx)
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
    """Detect faces in photos, clips and live video, and classify their emotions.

    The scores estimate how people would label a face. They do not measure what a person feels.
    """
