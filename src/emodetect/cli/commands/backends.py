"""``emodetect backends``."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from emodetect.cli.hints import with_options
from emodetect.cli.messages import show_json
from emodetect.cli.options import common_options, format_option


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@format_option
@common_options
@click.pass_context
def backends(ctx: click.Context, output_format: str) -> None:
    """List the available emotion backends and plug-ins, what is missing, and how to install it."""
    from emodetect.doctor.backends import list_backends

    states = [replace(state, cure=with_options(state.cure, ctx)) for state in list_backends()]
    if output_format == "json":
        show_json([asdict(state) for state in states])
        return
    from emodetect.cli.table import print_cures, print_table

    rows = [("ok" if state.available else "missing", state.name, state.reads, state.detail) for state in states]
    print_table(("status", "--backend", "model", "details"), rows)
    print_cures((f"{state.name}, {state.reads}", state.cure) for state in states)
