"""Inputs of a summary: logs, tables of many inputs, and folders of either."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from emodetect.errors import SourceError
from emodetect.report.timeline import Timeline
from emodetect.sources.result_log import read_entries
from emodetect.sources.result_rows import missing_columns
from emodetect.text.printable import enumerated
from emodetect.text.suggestions import did_you_mean_file

SUFFIXES = (".jsonl", ".csv", ".parquet")
"""Suffixes of the supported formats."""

_READINGS = [f"readings{suffix}" for suffix in SUFFIXES]
"""Names of the results of `emodetect batch`, the preferred first."""

_MANIFEST, _FAILURES = "manifest.jsonl", "failures.csv"
"""Further files in a folder of `emodetect batch`."""

_MAX_HEADER = 10_000
"""Maximum length of a CSV header, characters."""


@dataclass(frozen=True)
class Input:
    """One clip, session or photo.

    Attributes:
        name: path of the log, or of the clip or photo in a table.
        timeline: its results.
        is_photo: whether it is a photo.
    """

    name: str
    timeline: Timeline
    is_photo: bool


def find_logs(named: Sequence[Path], note: Callable[[str], object]) -> tuple[list[Path], list[SourceError]]:
    """Find the files of names, each once, and the errors of other names.

    Args:
        named: files, patterns and folders. A folder of `emodetect batch` stands for its readings, any other for the logs in it.
        note: called with a note about skipped files.
    """
    logs: dict[str, Path] = {}
    errors = []
    for path in named:
        try:
            found = _in_folder(path, note) if os.path.isdir(path) else _matching(path)
        except SourceError as error:
            errors.append(error)
            continue
        for log in found:
            if logs.setdefault(os.path.realpath(log), log) is not log:
                note(f"{log}: is named twice, and read once")
    names: dict[Path, Path] = {}
    for log in logs.values():
        if (other := names.setdefault(log.with_suffix(""), log)) is not log:
            note(f"{other} and {log}: both are read; are they the same clip?")
    return [*logs.values()], errors


def _matching(path: Path) -> list[Path]:
    """The file of this name or, if there is none and it is a pattern, the matching files."""
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(map(Path, glob.glob(str(path), recursive=True)))
    if not found:
        raise SourceError(f"{path}: no file has such a name")
    return found


def _in_folder(folder: Path, note: Callable[[str], object]) -> list[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if readings := [name for name in _READINGS if name in names]:
        if _FAILURES in names and (count := _rows(folder / _FAILURES)):
            missing = f"{count:,} of its inputs could not be read and {'is' if count == 1 else 'are'} missing"
            note(f"{folder}: {missing}; {_FAILURES} there says why")
        if len(readings) > 1:
            note(f"{folder}: holds {enumerated(readings)}; the first is read")
        return [folder / readings[0]]
    if _MANIFEST in names:
        raise SourceError(f"{folder}: holds no readings yet; emodetect batch has to finish first")
    logs = [folder / name for name in names if Path(name).suffix.lower() in SUFFIXES]
    others = [log for log in logs if log.suffix.lower() == ".csv" and not _is_log(log)]
    for other in others:
        note(f"{other}: is not a log, and left out")
    logs = [log for log in logs if log not in others]
    if not logs:
        if any((shard / _MANIFEST).exists() for shard in folder.glob("shard-*-of-*")):
            raise SourceError(f"{folder}: holds shards; emodetect batch has to merge them first")
        raise SourceError(f"{folder}: is a folder without logs ({', '.join(SUFFIXES)})")
    return logs


def _is_log(path: Path) -> bool:
    """Whether a CSV file has the columns of results; an unreadable file counts as one, and is reported later."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = next(csv.reader([file.readline(_MAX_HEADER)]), [])
    except OSError:
        return True
    return not missing_columns(header)


def _rows(path: Path) -> int:
    """Number of rows of a CSV file without its header; 0 if it cannot be read."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except OSError:
        return 0


def read_inputs(log: Path, count: int | None, advance: Callable[[int], object] | None = None) -> Iterator[Input]:
    """Yield the inputs in a file of results, one in memory at a time.

    Args:
        log: the file.
        count: number of people in each clip; None if unknown.
        advance: called with the number of bytes of each line, for a progress bar.

    Raises:
        SourceError: the file cannot be read, or is no file of results.
    """
    if log.suffix.lower() not in SUFFIXES and not log.exists():
        raise SourceError(f"{log}: no such file{did_you_mean_file(log)}")
    for (name, is_photo), entries in groupby(read_entries(log, advance), key=lambda entry: (entry.path, entry.is_photo)):
        timeline = Timeline(count=None if is_photo else count)
        for entry in entries:
            timeline.add(entry.result)
        yield Input(str(log) if name is None else name, timeline, is_photo)
