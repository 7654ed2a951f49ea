"""``emodetect config``."""

from __future__ import annotations

import os

import click

from emodetect.cli.configuration import configuration_in_use, configuration_problem, settings_of_all, unknown_variables
from emodetect.cli.messages import note, show, show_json
from emodetect.cli.options import common_options, format_option
from emodetect.text.printable import public_name


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@format_option
@common_options
@click.pass_context
def config(ctx: click.Context, output_format: str) -> None:
    """Show the path of the configuration file, and the settings from the file and EMODETECT_* variables.

    The command line overrides variables, variables override the file, and the file overrides the defaults.
    """
    path = configuration_in_use(ctx)
    if output_format == "table":
        show(f"{path}{'' if os.path.lexists(path) else ' (does not exist)'}")
    if problem := configuration_problem(ctx):
        raise problem
    settings = settings_of_all(ctx)
    unknown = unknown_variables(ctx)
    if output_format == "json":
        record = {
            "file": str(path),
            "exists": os.path.isfile(path),
            "settings": [{**setting._asdict(), "value": public_name(setting.value)} for setting in settings],
            "unknown_variables": unknown,
        }
        show_json(record)
        return
    if settings:
        from emodetect.cli.table import print_table

        commands: dict[tuple[str, str, str], list[str]] = {}  # a value for all commands is one row
        for setting in settings:
            where = "the file" if setting.origin == str(path) else setting.origin
            commands.setdefault((f"--{setting.option}", setting.value, where), []).append(setting.command)
        show()
        print_table(("option", "value", "from", "commands"), [(*row, ", ".join(names)) for row, names in commands.items()])
    for message in unknown.values():
        note(f"emodetect: {message}")
