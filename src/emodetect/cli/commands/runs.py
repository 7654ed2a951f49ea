"""``emodetect runs``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from emodetect.cli.messages import show_json
from emodetect.cli.options import common_options, format_option
from emodetect.cli.types import PATH


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folders", nargs=-1, type=PATH)
@format_option
@common_options
def runs(folders: tuple[Path, ...], output_format: str) -> None:
    """Compare training runs. FOLDERS are runs or contain runs (default: runs)."""
    from emodetect.training.run_list import find_runs, read_run

    found = [read_run(path) for path in find_runs(folders or (Path("runs"),))]
    if output_format == "json":
        show_json([asdict(run) | {"path": str(run.path)} for run in found])
        return
    from emodetect.cli.table import print_table

    rows = [
        (
            str(run.path),
            run.settings.architecture,
            f"{run.epochs} of {run.settings.epochs}",
            f"{run.seconds / 3600:.1f} h",
            _percent(run.validation.get("fer2013")),
            _percent(run.validation.get("ferplus")),
            _percent(run.test_accuracy),
            _percent(run.test_balanced),
        )
        for run in found
    ]
    headers = ("run", "network", "epochs", "time", "val. fer2013", "val. ferplus", "test", "test, balanced")
    print_table(headers, rows)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}%"
