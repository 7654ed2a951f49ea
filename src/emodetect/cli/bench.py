"""``emodetect bench``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from emodetect.cli.messages import shows_progress
from emodetect.cli.options import PATH, common_options, complete_backend, complete_model, format_option, max_pixels_option
from emodetect.text import one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--source", type=PATH, metavar="CLIP",
              help="The clip to measure on.  [default: a made one, 640x360, one face]")  # fmt: skip
@click.option("--backend", "backends", multiple=True, metavar="NAME", shell_complete=complete_backend,
              help="Another backend beside the embedded network: deepface, or a plug-in's name. May be repeated.")  # fmt: skip
@click.option("--model", "models", multiple=True, metavar="NAME|FILE", shell_complete=complete_model,
              help="Another network for cnn: fer2013, ferplus, or a .onnx, .h5 or .keras file. May be repeated.")  # fmt: skip
@click.option("--frames", type=click.IntRange(1, 10**6), default=250, show_default=True,
              help="At most so many frames of the clip.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 10**6), default=3, show_default=True, help="How many runs; the median counts.")
@click.option("--compare", type=click.Choice(["tutorial"]),
              help="Measure the tutorials' loop beside each: a full scan, and a call of DeepFace, or of the same Keras file, "
                   "for each face of each frame.")  # fmt: skip
@format_option
@max_pixels_option
@common_options
def bench(
    source: Path | None, backends: Sequence[str], models: Sequence[str], frames: int, rounds: int, compare: str | None,
    output_format: str,
) -> None:  # fmt: skip
    """Measure how fast this machine finds and reads faces.

    The embedded network comes first; everything is measured in turn, on the same clip, after a warm-up.
    """
    from emodetect.benchmark.measure import Bench, Configuration

    others = [Configuration(name) for name in backends if name != "cnn"]
    others += [Configuration("cnn", model) for model in models if model != "embedded"]
    with _progress() as progress, _clip(source, frames) as clip:
        measuring = Bench(clip, frames=frames, rounds=rounds, compare=compare is not None, progress=progress)
        records = measuring.measure([Configuration(), *others])
    if output_format == "json":
        click.echo(json.dumps(records, indent=2))
    else:
        _print_table(records)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Says on a terminal what is being done."""
    if not shows_progress():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update


@contextmanager
def _clip(source: Path | None, frames: int) -> Iterator[Path]:
    """The clip itself, or a made one that is deleted at the end."""
    if source is not None:
        yield source
        return
    import tempfile

    from emodetect.benchmark.made_clip import write_made_clip

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.mp4"
        write_made_clip(path, frames=frames)
        yield path


def _print_table(records: Sequence[dict[str, Any]]) -> None:
    """Figures as rows, configurations side by side as columns."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for record in records:
        table.add_column(Text(one_line(Path(record["model"] or record["backend"]).name)), justify="right", overflow="fold")

    def row(name: str, value: Callable[[dict[str, Any]], float | None], digits: int = 1, *, style: str | None = None) -> None:
        values = [value(record) for record in records]
        table.add_row(name, *("" if v is None else f"{v:,.{digits}f}" for v in values), style=style)

    row("frames a second", lambda r: r["frames_per_second"])
    if "tutorial" in records[0]:
        row("tutorial's loop", lambda r: r["tutorial"]["frames_per_second"], style="dim")
        row("times faster", lambda r: r["tutorial"]["times_faster"])
    for stage in dict.fromkeys(stage for record in records for stage in record["stages_ms"]):
        costs = [record["stages_ms"].get(stage) for record in records]
        table.add_row(f"{stage}, ms (95th percentile)", *(f"{c['median']:.2f} ({c['p95']:.2f})" if c else "" for c in costs))
    row("seconds to the first result", lambda r: r["startup_seconds"], 2)
    if "tutorial" in records[0]:
        row("tutorial's", lambda r: r["tutorial"]["startup_seconds"], 2, style="dim")
    row("peak memory, MiB", lambda r: r["peak_memory_mb"], 0)
    if "tutorial" in records[0]:
        row("tutorial's", lambda r: r["tutorial"]["peak_memory_mb"], 0, style="dim")
    row("frames", lambda r: r["frames"], 0, style="dim")
    row("faces read", lambda r: r["faces"], 0, style="dim")
    Console().print(table)
