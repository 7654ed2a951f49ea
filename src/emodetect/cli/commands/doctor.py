"""``emodetect doctor``."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import click

from emodetect.cli.configuration import configuration_in_use, configuration_problem
from emodetect.cli.hints import with_options
from emodetect.cli.messages import print_lines, show, show_json
from emodetect.cli.options import common_options, format_option
from emodetect.system.native_output import is_debugging
from emodetect.text.printable import counted


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--headless", is_flag=True, help="Skip the checks of windows, display and cameras, for servers and health checks.")
@format_option
@common_options
@click.pass_context
def doctor(ctx: click.Context, headless: bool, output_format: str) -> int:
    """Check the installation, the system and the models, and print problems with their solutions.

    The checks include Python, packages, OpenCV, display, cameras, model files, DeepFace and the time per face. The exit code is 1
    if there is a fault. Nothing is changed.
    """
    from emodetect.doctor import Check, Status, examine

    path = configuration_in_use(ctx)
    if problem := configuration_problem(ctx):
        settings = Check("configuration", Status.FAULT, str(problem), "mend the file, or move it away")
    else:
        settings = Check("configuration", Status.OK, f"{path}{'' if os.path.lexists(path) else ' (does not exist)'}")
    checks = [settings, *(replace(check, cure=with_options(check.cure, ctx)) for check in examine(headless=headless))]
    if is_debugging():
        for check in checks:
            print_lines(check.traceback)
    if output_format == "json":
        show_json({"checks": [check.as_dict() for check in checks]})
    else:
        from emodetect.cli.table import print_cures, print_table

        rows = [(check.status.value, check.name, check.detail) for check in checks]
        print_table(("status", "check", "what was found"), rows)
        show()
        print_cures((check.name, check.cure) for check in checks)
        show(_summary(Counter(check.status.value for check in checks)))
    return int(any(check.status is Status.FAULT for check in checks))


def _summary(counts: Counter[str]) -> str:
    return ", ".join(counted(counts[kind], kind) for kind in ("fault", "warning") if counts[kind]) or "All is well."
