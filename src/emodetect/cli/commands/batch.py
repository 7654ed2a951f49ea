"""``emodetect batch``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from emodetect.backends.limits import size_in_words
from emodetect.batch.inputs import Shard
from emodetect.batch.manifest import has_batch, read_header
from emodetect.cli.clip_options import make_part, part_options
from emodetect.cli.hints import with_options
from emodetect.cli.messages import detail, note, print_message
from emodetect.cli.options import common_options, max_pixels_option, overwrite_option, pipeline_options, playlists_option
from emodetect.cli.recorded_options import ResumableCommand
from emodetect.cli.signals import Terminated
from emodetect.cli.types import NAME, OUTPUT, PATH, NumberRange, ShardType, Size
from emodetect.errors import OutputError, SourceError, UsageError
from emodetect.settings.batch import BATCH, ENGINES, FORMATS, BatchOptions, EngineName, Format
from emodetect.settings.pipeline import CLIPS, PHOTOS, PipelineSettings
from emodetect.text.printable import counted, enumerated, public_name

if TYPE_CHECKING:
    from emodetect.batch.inputs import Listing
    from emodetect.batch.run import Outcome, Run
    from emodetect.batch.settings import BatchSettings
    from emodetect.faces.region import Region

_MIN_FACE = f"{PHOTOS.detector.min_face} in photos, {CLIPS.detector.min_face} in clips"


_MAX_LIST = 2**26
"""Maximum size of a list of inputs, bytes: about a million names."""


class _Command(ResumableCommand):
    left_out = frozenset({
        "output", "resume", "merge", "overwrite", "listed", "shard", "jobs", "engine", "address",
        "config", "verbose", "quiet", "debug",
    })  # fmt: skip

    def recorded(self, folder: Path, shard: str | None) -> Sequence[str]:
        place = folder if shard is None else folder / Shard.parse(shard).folder
        return read_header(place).arguments if has_batch(place) else ()

    def portable(self, name: str, value: Any) -> Any:
        from emodetect.batch.settings import is_model_file

        is_file = name == "cascade" or (name == "model" and is_model_file(value))
        return os.path.abspath(value) if is_file else value


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("named", nargs=-1, type=NAME, metavar="[FILE|FOLDER|PATTERN]...")
@click.option("--from", "listed", type=NAME, metavar="FILE|-",
              help="Read the names of the inputs from a file, one per line, or from standard input.")  # fmt: skip
@click.option("-o", "--output", type=OUTPUT, metavar="FOLDER", help="Save the results in this folder.")
@click.option("--resume", type=PATH, metavar="FOLDER",
              help="Resume the batch in this folder with its original options.")  # fmt: skip
@click.option("--shard", type=ShardType(), metavar="N/COUNT",
              help="Process only the N-th of COUNT parts of the inputs, such as 3/16, in a subfolder.")  # fmt: skip
@click.option("--merge", type=PATH, metavar="FOLDER", help="Merge the results of all shards in this folder.")
@click.option("--format", "output_format", type=click.Choice(FORMATS), default=BATCH.format, show_default=True,
              help="Format of the readings.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="NUMBER",
              help="Number of worker processes.  [default: one per core]")  # fmt: skip
@click.option("--timeout", type=NumberRange(0.001), metavar="SECONDS",
              help="Time limit per input.  [default: none]")  # fmt: skip
@click.option("--max-memory", type=Size(), metavar="SIZE", default=size_in_words(BATCH.max_memory).replace(" ", ""),
              show_default=True, help="Memory limit per worker, such as 4GB. A worker that exceeds it is stopped.")  # fmt: skip
@click.option("--engine", type=click.Choice(ENGINES), default=BATCH.engine, show_default=True,
              help="Where the workers run: on this machine or on a Ray cluster.")  # fmt: skip
@click.option("--address", type=NAME, metavar="ADDRESS",
              help="Address of the Ray cluster; auto for this machine's cluster.  [default: start a local cluster]")  # fmt: skip
@overwrite_option
@part_options
@pipeline_options(CLIPS, min_face_default=_MIN_FACE)
@playlists_option
@max_pixels_option()
@common_options
@click.pass_context
def batch(
    ctx: click.Context, named: tuple[str, ...], listed: str | None, output: Path | None, resume: Path | None,
    shard: Shard | None, merge: Path | None, output_format: Format, jobs: int | None, timeout: float | None, max_memory: int,
    engine: EngineName, address: str | None,
    overwrite: bool, start: float | None, end: float | None, every: int, region: Region | None, settings: PipelineSettings,
) -> int:  # fmt: skip
    """Analyze many photos and clips in parallel, and write one table of results.

    Arguments are files, folders (with subfolders) and quoted patterns. If an input cannot be read, failures.csv lists it, the
    others are still processed, and the exit code is 1. --resume continues an interrupted batch.
    """
    from emodetect.batch.run import merge as merge_shards
    from emodetect.batch.settings import BatchSettings

    _check_use(named, listed, output, resume, merge)
    if address is not None and engine != "ray":
        raise UsageError("--address requires --engine ray")
    if merge is not None:
        is_given = ctx.get_parameter_source("output_format") is not ParameterSource.DEFAULT
        wanted = output_format if is_given else None
        return _report(merge_shards(merge, wanted, partial(with_options, ctx=ctx), overwrite=overwrite))
    settings = replace(settings, region=region)
    smallest = settings.detector.min_face
    if ctx.get_parameter_source("min_face") is ParameterSource.DEFAULT:
        smallest = PHOTOS.detector.min_face
    photos = replace(settings, track=False, detector=replace(settings.detector, min_face=smallest))
    given = BatchSettings(photos, settings, make_part(start, end, every)).absolute()
    request = _Request(named, listed, output or resume or Path(), resume is not None, shard, overwrite)
    options = BatchOptions(output_format, jobs, timeout, max_memory, engine, address)
    with request.open(given, options) as run:
        return _report(_read(run, options, overwrite=overwrite))


def _check_use(
    named: Sequence[str], listed: str | None, output: Path | None, resume: Path | None, merge: Path | None
) -> None:  # fmt: skip
    """Check that the options do not contradict each other.

    Raises:
        UsageError: two options contradict each other.
    """
    folders = {"--output": output, "--resume": resume, "--merge": merge}
    wanted = [option for option, folder in folders.items() if folder is not None]
    if len(wanted) > 1:
        raise UsageError(f"{enumerated(wanted)} cannot be combined")
    if not wanted:
        raise UsageError("--output FOLDER is missing; --resume FOLDER resumes a batch")
    if merge is not None and (named or listed):
        raise UsageError("--merge takes no inputs: it merges finished shards")
    if output is not None and not named and listed is None:
        raise UsageError("no inputs; give photos, clips and folders, or a list of them with --from")


@dataclass(frozen=True)
class _Request:
    """The requested batch."""

    named: tuple[str, ...]
    listed: str | None
    folder: Path
    resumes: bool
    shard: Shard | None
    overwrite: bool

    @property
    def inputs(self) -> list[str]:
        """Names on the command line."""
        from emodetect.batch.remote import holds_credentials

        named = (public_name(name) if holds_credentials(name) else name for name in self.named)
        return [*named, *([] if self.listed is None else [f"--from={self.listed}"])]

    def open(self, settings: BatchSettings, options: BatchOptions) -> Run:
        """Start or resume the batch.

        Raises:
            EmodetectError: the batch cannot be started or resumed.
        """
        from emodetect.batch.run import Run, check_pipeline, clear

        ctx = click.get_current_context()
        command = ctx.command
        assert isinstance(command, ResumableCommand)
        place = self.folder if self.shard is None else self.folder / self.shard.folder
        if self.resumes and (has_batch(place) or not self.inputs):
            run = Run.resume(place, settings)
            if self.inputs and list(run.manifest.header.named) != self.inputs:
                run.close()
                raise UsageError(
                    f"{place}: the batch has other inputs; resume it without inputs, or start a new batch in another folder"
                )
            if self.inputs and (taken := command.taken_over(ctx)):
                note(f"emodetect: {place}: continues with {enumerated(taken)}, as it was started")
            return run
        if has_batch(place) and not self.overwrite:
            raise OutputError(f"{place}: already contains a batch; --resume continues it, --overwrite starts again")
        listing = self._list()
        if self.overwrite:
            check_pipeline(settings, options.max_memory)
            clear(place)
        given = command.given(ctx)
        return Run.create(
            self.folder, listing, settings, named=self.inputs, arguments=given, results=options.format, shard=self.shard
        )

    def _list(self) -> Listing:
        from emodetect.batch.inputs import read_list
        from emodetect.batch.listing import find_inputs
        from emodetect.sources.image_tree import in_words

        names = [*self.named]
        if self.listed is not None:
            names += read_list(_content(self.listed))
            if not names:
                raise SourceError(f"{_shown(self.listed)}: contains no names of inputs")
        listing = find_inputs(names)
        if listing.left_out:
            note(f"emodetect: skipped: {in_words(listing.left_out)}")
        if listing.animations:
            note(f"emodetect: {counted(listing.animations, 'animated GIF is read as a clip', 'animated GIFs are read as clips')}")
        return listing


def _shown(listed: str) -> str:
    """Name of a list of inputs in messages."""
    return "standard input" if listed == "-" else listed


def _content(listed: str) -> bytes:
    """Read a list of inputs.

    Raises:
        SourceError: the list cannot be read.
    """
    try:
        with nullcontext(sys.stdin.buffer) if listed == "-" else Path(listed).open("rb") as file:
            content = file.read(_MAX_LIST + 1)  # a device may be endless
    except FileNotFoundError:
        raise SourceError(f"{listed}: no such list", parameter="listed") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{_shown(listed)}: cannot be read ({reason})", parameter="listed") from error
    if len(content) > _MAX_LIST:
        raise SourceError(f"{_shown(listed)}: is no list of inputs: it has more than {_MAX_LIST:,} bytes", parameter="listed")
    return content


def _read(run: Run, options: BatchOptions, *, overwrite: bool) -> Outcome:
    """Read the remaining inputs; after an interrupt, print how to resume."""
    from emodetect.cli.batch_progress import BatchProgress

    place = run.manifest.folder
    detail(f"{place}: {counted(len(run.manifest.entries), 'input')}")
    with BatchProgress() as progress:
        try:
            words = partial(with_options, ctx=click.get_current_context())
            return run.read(
                options,
                on_progress=progress.update,
                note=lambda path, line: note(f"emodetect: {words(line)}"),
                words=words,
                overwrite=overwrite,
            )
        except (KeyboardInterrupt, Terminated):
            left = counted(run.totals.left, "input")
            print_message(f"emodetect: ended with {left} left; 'emodetect batch --resume {shlex.quote(str(place))}' goes on")
            raise


def _report(outcome: Outcome) -> int:
    """Print a summary; returns the exit code."""
    totals = outcome.totals
    read = f"{totals.done:,} of {counted(totals.inputs, 'input')} read, {counted(totals.faces, 'face')}: {outcome.readings}"
    failed = f"; {totals.failed:,} failed: {outcome.failures}" if totals.failed else ""
    (print_message if totals.failed else note)(f"emodetect: {read}{failed}")
    return 1 if totals.failed else 0
