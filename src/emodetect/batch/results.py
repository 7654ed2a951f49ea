"""``readings`` and ``failures.csv``: the results of all inputs, in the order of their paths."""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from typing_extensions import override

from emodetect.batch.manifest import Entry
from emodetect.batch.parts import SpanReader
from emodetect.batch.rows import COLUMNS, READING_COLUMNS, shown, with_path
from emodetect.errors import BackendUnavailableError
from emodetect.settings.batch import Format
from emodetect.system.install_hints import extra_cure
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import csv_cell, without_credentials

FAILURES = "failures.csv"

_ROW_GROUP = 50_000
"""Rows per row group of a Parquet file, which are in memory at a time."""


@dataclass(frozen=True)
class Source:
    """An input and the folder of its results."""

    folder: Path
    entry: Entry


def readings_path(folder: Path, name: Format) -> Path:
    """Path of the file with all readings."""
    return folder / f"readings.{name}"


def write_results(folder: Path, sources: Iterable[Source], name: Format, words: Callable[[str], str] = str) -> int:
    """Write the readings and the failures of all inputs, each file atomically.

    Args:
        folder: folder of the files.
        sources: the inputs, all done or failed, in any order.
        name: name of the format.
        words: replaces the parameters in a reason, which are in backquotes.

    Returns:
        Number of failed inputs.

    Raises:
        OutputError: the files cannot be written, or readings are missing.
        BackendUnavailableError: a package that the format needs is missing.
    """
    ordered = sorted(sources, key=lambda source: source.entry.path)
    check_format(name)
    reader = SpanReader()
    try:
        with atomic_write(readings_path(folder, name)) as partial, closing(_WRITERS[name](partial)) as writer:
            for source in ordered:
                if source.entry.state == "done":
                    for line in reader.lines(source.folder, source.entry):
                        writer.write(source.entry.path, line)
    finally:
        reader.close()
    failed = [source.entry for source in ordered if source.entry.state == "failed"]
    with atomic_write(folder / FAILURES) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("path", "reason"))
        for entry in failed:
            reason = words(without_credentials(shown(entry.reason)))
            rows.writerow((csv_cell(shown(entry.path)), csv_cell(reason)))
    return len(failed)


def check_format(name: Format) -> None:
    """Check that a format can be written.

    Raises:
        BackendUnavailableError: a package that it needs is missing.
    """
    if name == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            hint = extra_cure("batch")
            raise BackendUnavailableError("Parquet needs pyarrow", parameter="output_format", hint=hint) from error


class _Writer(ABC):
    """Writes readings in a format."""

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def write(self, path: str, line: bytes) -> None:
        """Write a reading: the path of its input, and a line without a path."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""


class _JsonLines(_Writer):
    @override
    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")

    @override
    def write(self, path: str, line: bytes) -> None:
        self._file.write(with_path(path, line))

    @override
    def close(self) -> None:
        self._file.close()


class _Csv(_Writer):
    @override
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    @override
    def write(self, path: str, line: bytes) -> None:
        row = json.loads(line)
        if row["uncertain"] is not None:
            row["uncertain"] = str(row["uncertain"]).lower()
        self._rows.writerow([csv_cell(shown(path)), *(row[name] for name in READING_COLUMNS)])

    @override
    def close(self) -> None:
        self._file.close()


class _Parquet(_Writer):
    @override
    def __init__(self, path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        self._arrow, self._schema = pyarrow, pyarrow.schema(_arrow_fields(pyarrow))
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []

    @override
    def write(self, path: str, line: bytes) -> None:
        self._rows.append({"path": shown(path), **json.loads(line)})
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        self._file.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    @override
    def close(self) -> None:
        if self._rows:
            self._flush()
        self._file.close()


def _arrow_fields(arrow: Any) -> Iterator[tuple[str, Any]]:
    """Columns of a Parquet file with their types."""
    kinds = {"path": arrow.string(), "emotion": arrow.string(), "uncertain": arrow.bool_(), "time": arrow.float64()}
    kinds |= dict.fromkeys(("frame", "person", "x", "y", "width", "height"), arrow.int64())
    return ((name, kinds.get(name, arrow.float32())) for name in COLUMNS)


_WRITERS: dict[Format, type[_Writer]] = {"jsonl": _JsonLines, "csv": _Csv, "parquet": _Parquet}
