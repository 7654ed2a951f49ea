"""Run of a batch: start, resume, merge."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emodetect.batch.engine import Engine
from emodetect.batch.inputs import Listing, Shard
from emodetect.batch.manifest import NAME, Entry, Header, Manifest, has_batch, locked, read_manifest, sync_folder
from emodetect.batch.parts import FOLDER, own_parts, remove_leftovers
from emodetect.batch.pool import LocalPool, usable_cores
from emodetect.batch.results import FAILURES, Source, check_format, readings_path, write_results
from emodetect.batch.retries import retry_failed
from emodetect.batch.schedule import Schedule, Totals
from emodetect.batch.settings import LIBRARIES, BatchSettings, changes, fingerprint
from emodetect.errors import EmodetectError, OutputError, SourceError, UsageError
from emodetect.settings.batch import BATCH, FORMATS, BatchOptions, Format
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import counted, enumerated

RUN = "run.json"

_RESULTS = (RUN, FAILURES, *(f"readings.{name}" for name in FORMATS))

_MAX_NAMED = 2
"""Settings that an error names."""

_SHARDS = re.compile(r"shard-(\d+)-of-(\d+)")


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run.

    Attributes:
        totals: numbers of inputs, frames and faces.
        readings: file with all readings.
        failures: file with all failures.
    """

    totals: Totals
    readings: Path
    failures: Path


class Run:
    """An active batch; a context manager that unlocks its folder.

    Args:
        manifest: open manifest of the run.
        settings: settings of the batch.
        is_new: whether the manifest was written for this run.

    Attributes:
        manifest: as given.
        settings: as given.
        totals: progress of the run.
    """

    def __init__(self, manifest: Manifest, settings: BatchSettings, *, is_new: bool = False) -> None:
        self.manifest, self.settings = manifest, settings
        self._is_new = is_new
        self.totals = Totals.from_entries(manifest.entries)

    @classmethod
    def create(
        cls, folder: Path, listing: Listing, settings: BatchSettings, *, named: Sequence[str], arguments: Sequence[str],
        results: Format, shard: Shard | None = None,
    ) -> Run:  # fmt: skip
        """Start a batch.

        Args:
            folder: folder for the results; created if it is missing. A shard has its own sub-folder.
            listing: all inputs, including those of other shards.
            settings: settings of the batch.
            named: names on the command line.
            arguments: options on the command line.
            results: format of the readings.
            shard: shard of the inputs to read; None for all.

        Raises:
            OutputError: the folder contains a batch already, or is not writable.
        """
        folder = folder if shard is None else folder / shard.folder
        facts = settings.as_dict()
        header = Header(
            os.getcwd(), list(named), list(arguments), results, facts, fingerprint(facts), None if shard is None else str(shard),
            len(listing.inputs), listing.digest,
        )  # fmt: skip
        if not has_batch(folder):
            _check_free(folder / name for name in _RESULTS)
        _make(folder / FOLDER)
        if not has_batch(folder):
            _remove(own_parts(folder))  # without a manifest, their inputs are unknown
        inputs = listing.inputs if shard is None else shard.select(listing.inputs)
        return cls(Manifest.create(folder, header, inputs), settings, is_new=True)

    @classmethod
    def resume(cls, folder: Path, settings: BatchSettings) -> Run:
        """Resume a batch. Failed inputs whose files have become readable, or have changed in size, are read again.

        Raises:
            SourceError: the folder contains no batch.
            UsageError: the batch was started with other settings or models.
            OutputError: the batch is active in another process.
        """
        manifest = Manifest.open(folder)
        try:
            check_settings(folder, manifest.header, settings)
            _make(folder / FOLDER)
            remove_leftovers(folder, manifest.entries)
            retry_failed(manifest.entries, base_folder(manifest.header))
            manifest.compact()
        except BaseException:
            manifest.close()
            raise
        return cls(manifest, settings)

    def read(
        self, options: BatchOptions, *, on_progress: Callable[[Totals], object], note: Callable[[str, str], object],
        words: Callable[[str], str] = str, overwrite: bool = False,
    ) -> Outcome:  # fmt: skip
        """Read all remaining inputs, and write the results.

        If a new batch fails before any input is read, as with a wrong model, its manifest is removed, so that the batch can be
        started again.

        Args:
            options: workers and limits.
            on_progress: called with the progress, several times per second.
            note: called with an input's path and an assumption about it.
            words: as for `write_results`.
            overwrite: whether readings that are not of this batch may be replaced.

        Raises:
            EmodetectError: no worker can be started, or results cannot be written.
        """
        folder, entries = self.manifest.folder, self.manifest.entries
        began, clock, left = datetime.now(timezone.utc), time.monotonic(), self.totals.left
        try:
            check_format(options.format)
            self._claim(options.format, overwrite=overwrite)
            if left:
                Schedule(self.manifest, self._engine(options), on_progress, note, self.totals).run()
        except EmodetectError:
            if self._is_new and self.totals.left == left:
                with contextlib.suppress(OSError):  # the folder may contain other files
                    self.manifest.remove()
                    (folder / FOLDER).rmdir()
            raise
        for name in _outdated(folder, options.format, self.manifest.header.written):
            write_results(folder, (Source(folder, entry) for entry in entries), name, words)
        self.manifest.compact()
        seconds = time.monotonic() - clock
        runs = [*_runs(folder), _times(began, seconds, self.totals)]
        _write_facts(folder, self.manifest.header, entries, {"options": asdict(options) | {"address": None}, "runs": runs})
        return Outcome(self.totals, readings_path(folder, options.format), folder / FAILURES)

    def _claim(self, name: Format, *, overwrite: bool) -> None:
        """Record a format before its file is written, so that the file counts as one of the batch even after a kill.

        Raises:
            OutputError: there is such a file already, which is not of this batch.
        """
        header = self.manifest.header
        if name in header.written:
            return
        if not overwrite:
            _check_free([readings_path(self.manifest.folder, name)])
        self.manifest.header = replace(header, formats=[*header.formats, name])
        self.manifest.compact()

    def _engine(self, options: BatchOptions) -> Engine[Any]:
        base, parts = base_folder(self.manifest.header), self.manifest.folder / FOLDER
        if options.engine == "ray":
            from emodetect.batch.cluster import RayCluster

            return RayCluster(
                self.settings,
                parts,
                base,
                options.jobs,
                max_actors=self.totals.left,
                timeout=options.timeout,
                address=options.address,
            )
        jobs = min(options.jobs or usable_cores(), self.totals.left)
        return LocalPool(self.settings, parts, base, jobs, timeout=options.timeout, max_memory=options.max_memory)

    def close(self) -> None:
        """Unlock the folder."""
        self.manifest.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def check_pipeline(settings: BatchSettings, max_memory: int) -> None:
    """Load the models of a batch in a worker, so that wrong ones are refused before older results are removed.

    Args:
        settings: settings of the batch.
        max_memory: memory limit of the worker, bytes.

    Raises:
        EmodetectError: a model or another part cannot be loaded.
    """
    pool = LocalPool(settings, Path(), Path.cwd(), 1, timeout=None, max_memory=max_memory)
    try:
        while not pool.workers():
            pool.wait(1)
    finally:
        pool.close()


def clear(folder: Path) -> None:
    """Remove a batch from its folder, without other files.

    Raises:
        OutputError: a file cannot be removed, or another run is writing there.
    """
    if folder.is_dir():
        with locked(folder):
            _remove([*(folder / name for name in (NAME, *_RESULTS)), *own_parts(folder)])


def _check_free(paths: Iterable[Path]) -> None:
    """Check that results do not overwrite other files."""
    for path in paths:
        if os.path.lexists(path):
            raise OutputError(f"{path}: exists already", hint="`overwrite` replaces it")


def _remove(paths: Iterable[Path]) -> None:
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{error.filename}: cannot be removed ({error.strerror})") from error


def check_settings(folder: Path, header: Header, settings: BatchSettings) -> None:
    """Check that a batch is resumed with the settings and models that it was started with.

    Raises:
        UsageError: settings or models differ.
    """
    facts = settings.as_dict()
    if fingerprint(facts) == header.fingerprint:
        return
    different = [f"{what} was {old} and is {new}" for what, old, new in changes(header.settings, facts)]
    text = f"the batch has other settings ({'; '.join(different[:_MAX_NAMED])})"
    raise UsageError(f"{folder}: {text}; use these, or start a new batch in another folder")


def base_folder(header: Header) -> Path:
    """The folder that names of inputs are relative to: where the run was started, or the current one if that does not exist."""
    return Path(header.folder) if os.path.isdir(header.folder) else Path.cwd()


def merge(folder: Path, name: Format | None, words: Callable[[str], str] = str, *, overwrite: bool = False) -> Outcome:
    """Merge the results of all shards.

    The results of an earlier merge of the same batch are replaced.

    Args:
        folder: folder with one sub-folder per shard.
        name: name of the format; None for that of the shards.
        words: as for `write_results`.
        overwrite: whether other files may be replaced, too.

    Raises:
        SourceError: there are no shards, or some are missing or unfinished.
        UsageError: they were read with different settings, or from different inputs.
        OutputError: the results cannot be written, or would overwrite other files.
    """
    if has_batch(folder):
        raise OutputError(f"{folder}: contains a batch besides the shards; move its files or the shards to another folder")
    found = sorted(path for path in folder.glob("shard-*-of-*") if _SHARDS.fullmatch(path.name)) if folder.is_dir() else []
    if not found:
        raise SourceError(f"{folder}: contains no shards; their folders have names such as shard-03-of-16")
    shards = {path: read_manifest(path) for path in found}
    first, header = found[0], shards[found[0]][0]
    for path, (other, _) in shards.items():
        if other.fingerprint != header.fingerprint:
            different = [f"{what}: {new} and {old}" for what, old, new in changes(header.settings, other.settings)]
            raise UsageError(f"{path}: has other settings than {first} ({'; '.join(different[:_MAX_NAMED])})")
        if other.listing != header.listing:
            listed = f"{counted(other.listed, 'input')} there, {header.listed:,} in {first.name}"
            raise UsageError(f"{path}: has other inputs than {first} ({listed}); all shards must list the same files")
    counts = {other.share.count for other, _ in shards.values()}
    if len(counts) > 1:
        raise UsageError(f"{folder}: contains shards of {enumerated(sorted(counts))}; move those of another run away")
    numbers = Counter(other.share.number for other, _ in shards.values())
    if twice := [number for number, count in numbers.items() if count > 1]:
        raise UsageError(f"{folder}: contains shard {twice[0]} more than once; move all but one of its folders away")
    missing = sorted({*range(1, counts.pop() + 1)} - {*numbers})
    if missing:
        raise SourceError(f"{folder}: {counted(len(missing), 'shard')} missing: {', '.join(map(str, missing[:10]))}")
    for path, (_, entries) in shards.items():
        if left := sum(entry.state == "waiting" for entry in entries):
            raise SourceError(f"{path}: is not finished, {counted(left, 'input')} left; `resume` continues it")
    begun: Format = next((one for one in FORMATS if one == header.results), BATCH.format)
    format_name = name or begun
    check_format(format_name)
    merged = _merged_formats(folder, header)
    if not overwrite:
        others = [] if merged else [folder / RUN, folder / FAILURES]
        _check_free(others if format_name in merged else [*others, readings_path(folder, format_name)])
    sources = [Source(path, entry) for path, (_, entries) in shards.items() for entry in entries]
    entries = [source.entry for source in sources]
    facts = {"listing": header.listing, "merged": sorted({*merged, format_name})}
    # First, so that the results count as those of a merge even after a kill.
    _write_facts(folder, header, entries, facts | {"runs": [run for path in found for run in _runs(path)]})
    for one in _outdated(folder, format_name, merged):
        write_results(folder, sources, one, words)
    totals = Totals.from_entries(entries)
    return Outcome(totals, readings_path(folder, format_name), folder / FAILURES)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made a folder ({error.strerror or error})") from error


def _times(began: datetime, seconds: float, totals: Totals) -> dict[str, Any]:
    return {
        "began": began.isoformat(timespec="seconds"),
        "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "inputs": totals.done + totals.failed - totals.done_before,
    }


def _runs(folder: Path) -> list[dict[str, Any]]:
    """Times of earlier runs, from ``run.json``."""
    runs = _facts(folder).get("runs")
    return runs if isinstance(runs, list) else []


def _outdated(folder: Path, name: Format, written: Sequence[str]) -> list[Format]:
    """Formats to write: this one, after those that were written before, in which new readings may be missing."""
    others = (one for one in FORMATS if one in written and one != name)
    return [*(one for one in others if readings_path(folder, one).exists()), name]


def _merged_formats(folder: Path, header: Header) -> list[Format]:
    """Formats that earlier merges of the same batch have written, from ``run.json``."""
    facts = _facts(folder)
    is_same = (facts.get("fingerprint"), facts.get("listing")) == (header.fingerprint, header.listing)
    merged = facts.get("merged")
    return [name for name in FORMATS if name in merged] if is_same and isinstance(merged, list) else []


def _facts(folder: Path) -> dict[str, Any]:
    """Content of ``run.json``; empty if it is missing or is none of a batch."""
    try:
        facts = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _write_facts(folder: Path, header: Header, entries: Sequence[Entry], facts: dict[str, Any]) -> None:
    totals = Totals.from_entries(list(entries))
    record = {
        "settings": header.settings,
        "fingerprint": header.fingerprint,
        "arguments": header.arguments,
        "shard": header.shard,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "totals": {
            **{
                key: value
                for key, value in asdict(totals).items()
                if key in ("inputs", "done", "failed", "frames", "faces", "bytes")
            },
            "photos": sum(entry.kind == "photo" for entry in entries),
            "clips": sum(entry.kind == "clip" for entry in entries),
        },
        **facts,
    }
    with atomic_write(folder / RUN) as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
