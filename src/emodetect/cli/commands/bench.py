"""``emodetect bench``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from emodetect.backends.conventions import UNSTATED, quoted
from emodetect.backends.registry import RESERVED, BackendSettings
from emodetect.cli.factories import conventions_as_options, describe_settings
from emodetect.cli.messages import detail, show_json, shows_progress
from emodetect.cli.options import (
    common_options,
    detector_option,
    format_option,
    max_pixels_option,
    model_options,
    playlists_option,
)
from emodetect.cli.shell_completion import complete_backend, complete_model
from emodetect.cli.types import NAME, PATH
from emodetect.errors import SourceError, UsageError, about
from emodetect.faces.detector import DetectorSettings
from emodetect.system.install_hints import is_installed
from emodetect.text.printable import counted, one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--source", type=PATH, metavar="CLIP",
              help="Clip to measure.  [default: a synthetic clip, 640x360, one face]")  # fmt: skip
@click.option("--backend", "backends", multiple=True, metavar="NAME", shell_complete=complete_backend,
              help="Backend to compare with the embedded network: deepface, or a plug-in's name. May be repeated.")  # fmt: skip
@click.option("--model", "models", type=NAME, multiple=True, metavar="NAME|FILE", shell_complete=complete_model,
              help="Model to compare: fer2013, ferplus, or a .onnx, .h5 or .keras file. May be repeated.")  # fmt: skip
@model_options
@detector_option
@click.option("--frames", type=click.IntRange(1, 10**6), default=250, show_default=True,
              help="Maximum number of frames of the clip.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 10**6), default=3, show_default=True,
              help="Number of rounds; the median is reported.")  # fmt: skip
@click.option("--compare", type=click.Choice(["tutorial"]),
              help="Also measure the loops of common tutorials: a full cascade scan of each frame, and one call of DeepFace, "
                   "or of the same Keras file, per face.")  # fmt: skip
@format_option
@playlists_option
@max_pixels_option()
@common_options
def bench(
    source: Path | None, backends: Sequence[str], models: Sequence[str], model_settings: BackendSettings, detector: str,
    frames: int, rounds: int, compare: str | None, output_format: str,
) -> None:  # fmt: skip
    """Measure the speed of the pipeline on this machine.

    The embedded network is measured first. All configurations are measured in turn on the same clip, after a warm-up.
    """
    from emodetect.benchmark.measure import Bench

    plain, conventions = replace(model_settings, conventions=UNSTATED), model_settings.conventions
    measured = [plain, *(replace(plain, name=name) for name in backends if name != "cnn")]
    if conventions.given and all(model in RESERVED for model in models):
        raise UsageError(f"{quoted(conventions.given, ', ')}: no model file is measured; name one with --model FILE")
    for model in models:
        if model != "embedded":
            measured.append(replace(plain if model in RESERVED else model_settings, model=model))
    _describe(source, detector, frames, rounds, measured)
    with about("source", SourceError), _progress() as progress, _clip(source, frames) as clip:
        measuring = Bench(
            clip,
            frames=frames,
            rounds=rounds,
            compare=compare is not None,
            detector=detector,
            options_of=partial(start_options, detector=detector),
            progress=progress,
        )
        records = measuring.measure(measured)
    if output_format == "json":
        show_json(records)
    else:
        _print_table(records)


def start_options(settings: BackendSettings, detector: str = DetectorSettings.name) -> list[str]:
    """Options of ``image`` for measuring its start-up."""
    return ["--format", "json", "--detector", detector, *options_of(settings)]


def options_of(settings: BackendSettings) -> list[str]:
    """Options that select a backend."""
    model = ["--model", settings.model] if settings.model else []
    views = ["--views", str(settings.views)] if settings.views > 1 else []
    limit = settings.max_model_memory
    memory = [f"--max-model-memory={limit}"] if limit != BackendSettings.max_model_memory else []
    conventions = [f"{option}={value}" for option, value in conventions_as_options(settings.conventions).items()]
    return ["--backend", settings.name, *model, *conventions, *views, *memory]


def _describe(source: Path | None, detector: str, frames: int, rounds: int, measured: Sequence[BackendSettings]) -> None:
    """Print what is measured, with ``--verbose``."""
    from importlib.metadata import version

    describe_settings()
    detail(f"detector: {detector}")
    detail(f"clip: {source or 'synthetic, 640x360, one face'}; {counted(frames, 'frame')} at most, {counted(rounds, 'round')}")
    for one in measured:
        detail(f"backend {one.name}: {one.title}")
    names = filter(is_installed, ("opencv-python", "onnxruntime", "tensorflow"))
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    detail(f"{counted(os.cpu_count() or 1, 'core')}, Python {platform.python_version()}, {packages}")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Print progress: on a terminal, and with ``--verbose``."""
    if not shows_progress():
        yield detail
        return
    from emodetect.cli.progress import messages_console

    with messages_console().status("starting") as status:

        def update(text: str) -> None:
            detail(text)
            status.update(one_line(text))

        yield update


@contextmanager
def _clip(source: Path | None, frames: int) -> Iterator[Path]:
    """Path of the clip, or of a synthetic one that is deleted at the end."""
    if source is not None:
        yield source
        return
    import tempfile

    from emodetect.benchmark.synthetic_clip import write_synthetic_clip

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.mp4"
        write_synthetic_clip(path, frames=frames)
        yield path


def _print_table(records: Sequence[dict[str, Any]]) -> None:
    """Print measurements as rows, with one column per configuration."""
    from rich.table import Table

    from emodetect.cli.table import cell, show_table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for record in records:
        table.add_column(cell(Path(record["model"] or record["backend"]).name), justify="right", overflow="fold")
    loops = [record.get("tutorial", {}) for record in records]

    def row(name: str, figures: Sequence[dict[str, Any]], key: str, digits: int, *, style: str | None = None) -> None:
        values = [one.get(key) for one in figures]
        if any(value is not None for value in values):
            table.add_row(name, *("" if value is None else f"{value:,.{digits}f}" for value in values), style=style)

    row("frames per second", records, "frames_per_second", 1)
    row("  tutorial's loop", loops, "frames_per_second", 1, style="dim")
    row("  times faster", loops, "times_faster", 1)
    table.add_row("ms per frame (p95)")
    for stage in dict.fromkeys(stage for record in records for stage in record["stages_ms"]):
        costs = [record["stages_ms"].get(stage) for record in records]
        table.add_row(f"  {stage}", *(f"{c['median']:.2f} ({c['p95']:.2f})" if c else "" for c in costs))
    row("start, seconds", records, "startup_seconds", 2)
    row("  tutorial's loop", loops, "startup_seconds", 2, style="dim")
    row("most memory, MiB", records, "peak_memory_mb", 0)
    row("  tutorial's loop", loops, "peak_memory_mb", 0, style="dim")
    row("frames", records, "frames", 0, style="dim")
    row("faces read", records, "faces", 0, style="dim")
    row("  by the loop", loops, "faces", 0, style="dim")
    show_table(table)
