"""Lenient reading of tables (CSV): byte order marks, other separators, and column names with spaces or capitals."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emodetect.errors import DatasetError
from emodetect.sources.image_tree import special_kind
from emodetect.text.suggestions import did_you_mean_file
from emodetect.training.data.archives import unpacking_command

_SEPARATORS = (",", ";", "\t")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_MAX_CELL = 40
"""Maximum number of a cell's characters in a message; with mixed-up columns a cell may be a whole image."""

_MAX_HEADER = 1 << 16
"""Number of characters of the first line that are examined."""


@dataclass(frozen=True)
class Table:
    """An open table.

    Attributes:
        columns: the known columns in the table, by their known names.
        rows: line number in the file and cells by column of each row; a missing cell is empty.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, dict[str, str]]]


@contextmanager
def open_table(path: Path, known: Sequence[str], kind: str) -> Iterator[Table]:
    """Open a table; errors while reading its rows are raised in the same way.

    Args:
        path: the file, UTF-8, with cells separated by commas, semicolons or tabs.
        known: known column names; surrounding spaces and case are ignored.
        kind: description of the expected file, for messages.

    Raises:
        DatasetError: the file is missing, no table, an archive, or not UTF-8.
    """
    if special := special_kind(path):
        raise DatasetError(f"{path}: is a {special}; expected {kind}")
    try:
        if command := unpacking_command(path):
            raise DatasetError(f"{path}: is an archive; unpack it ({command}) and name what comes out of it")
        with path.open("rb") as file:
            start = file.read(4)
        if start.startswith(_UTF_16) or b"\0" in start:
            raise DatasetError(f"{path}: cannot be read as {kind} (it is UTF-16, or no text); save it as UTF-8")
        with path.open(newline="", encoding="utf-8-sig") as text:
            yield _open(path, text, known)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as {kind} ({error})") from error


def _open(path: Path, text: io.TextIOWrapper, known: Sequence[str]) -> Table:
    spellings = {_plain(name): name for name in known}
    first = text.readline(_MAX_HEADER)
    text.seek(0)

    def names(separator: str) -> list[str | None]:
        cells = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
        return [spellings.get(_plain(cell)) for cell in cells]

    separator = max(_SEPARATORS, key=lambda one: sum(name is not None for name in names(one)))
    columns = names(separator)
    present = [name for name in columns if name is not None]
    if twice := [name for name in present if present.count(name) > 1]:
        raise DatasetError(f"{path}: the column {twice[0]!r} stands twice")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)

    def rows() -> Iterator[tuple[int, dict[str, str]]]:
        next(reader, None)
        for cells in reader:
            if cells:
                padded = [*cells, *("" for _ in columns)]
                yield reader.line_num, {name: cell for name, cell in zip(columns, padded, strict=False) if name is not None}

    return Table(tuple(present), rows())


def quoted(cell: str) -> str:
    """Quote a cell for a message."""
    return repr(cell if len(cell) <= _MAX_CELL else f"{cell[:_MAX_CELL]}...")


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
