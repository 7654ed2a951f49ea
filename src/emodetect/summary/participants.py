"""Columns about the people, from a table of the user."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from emodetect.errors import SourceError
from emodetect.text.suggestions import did_you_mean_file

_FILE_COLUMNS = ("file", "input", "filename", "file_name", "path", "clip", "log", "photo", "name")
"""Names of the column with the file names, the preferred first; without any of them it is the first column."""

_PERSON = "person"
"""Name of the optional column with the person that a row is about."""

_MAX_BYTES = 2**26

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
"""A number; text with a leading zero or very many digits is a name."""

Value = str | int | float | None
"""A cell; None if it is empty."""

_Parts = tuple[str, ...]


class Participants:
    """A table with one row per file, or per file and person.

    Files are matched by the end of their path, as far as the table contains it, with or without the suffix: ``s01/call``,
    ``call.mp4`` and ``call`` all match ``logs/s01/call.jsonl``, if no other name in the table matches better.

    Args:
        path: a CSV file, with commas, semicolons or tabs.
        taken: column names that the table must not have.

    Attributes:
        columns: the columns that are joined.

    Raises:
        SourceError: the file cannot be read, or is no such table.
    """

    def __init__(self, path: Path, taken: Collection[str]) -> None:
        self._path = path
        header, *rows = _read(path)
        lowered = [name.strip().lower() for name in header]
        at = next((lowered.index(name) for name in _FILE_COLUMNS if name in lowered), 0)
        who = lowered.index(_PERSON) if _PERSON in lowered and lowered.index(_PERSON) != at else None
        kept = [place for place in range(len(header)) if place not in (at, who)]
        self.columns = [header[place].strip() for place in kept]
        if clash := [name for name in self.columns if name in taken or not name]:
            raise SourceError(f"{path}: the summary has a column {clash[0]!r} of its own; rename the one here")
        if len({*self.columns}) < len(self.columns):
            raise SourceError(f"{path}: two columns have the same name")
        columns = [_values([row[place].strip() for row in rows]) for place in kept]
        self._rows: dict[tuple[_Parts, str], list[Value]] = {}
        self._stems: dict[_Parts, set[_Parts]] = {}
        for number, row in enumerate(rows):
            file, person = _parts(row[at].strip()), "" if who is None else row[who].strip().removesuffix(".0")
            if not file:
                raise SourceError(f"{path}, row {number + 2}: the name of the file is missing")
            if (file, person) in self._rows:
                raise SourceError(f"{path}, row {number + 2}: {row[at]} is on an earlier row as well")
            self._rows[file, person] = [column[number] for column in columns]
            self._stems.setdefault(_without_suffix(file), set()).add(file)
        self._files = {file for file, _ in self._rows}
        self._inputs: dict[_Parts, str] = {}
        self._used: set[tuple[_Parts, str]] = set()
        self._unmatched: dict[str, None] = {}

    def kind(self, column: str) -> type:
        """Type of the values in a column."""
        place = self.columns.index(column)
        found = {type(row[place]) for row in self._rows.values() if row[place] is not None}
        return found.pop() if len(found) == 1 else str

    def columns_for(self, name: str, person: Value) -> dict[str, Value]:
        """Columns for a person of an input; None in each if the table has no row.

        Raises:
            SourceError: several rows match equally well, or one matches several inputs.
        """
        file = self._find(name)
        keys = [] if file is None else [(file, str(person)), (file, "")]
        key = next((key for key in keys if key in self._rows), None)
        if key is None:
            self._unmatched[name if file is None or person is None else f"{name}, person {person}"] = None
            return dict.fromkeys(self.columns)
        if (other := self._inputs.setdefault(key[0], name)) != name:
            raise SourceError(f"{self._path}: {'/'.join(key[0])} may be {other} or {name}; write more of the path there")
        self._used.add(key)
        return dict(zip(self.columns, self._rows[key], strict=True))

    def _find(self, name: str) -> _Parts | None:
        """File that matches an input best: by its full name rather than without the suffix, and by more of its path."""
        parts = _parts(name)
        ends = [parts[place:] for place in range(len(parts))]
        for end in [*ends, *map(_without_suffix, ends)]:
            if end in self._files:
                return end
        for end in map(_without_suffix, ends):
            fitting: set[_Parts] = self._stems.get(end, set())
            if len(fitting) > 1:
                names = " and ".join("/".join(file) for file in sorted(fitting))
                raise SourceError(f"{self._path}: {names} fit {name} alike; write the whole name there")
            if fitting:
                return next(iter(fitting))
        return None

    def warnings(self) -> list[str]:
        """Rows and inputs without a counterpart, one sentence each."""
        sentences = []
        if self._unmatched:
            sentences.append(f"{self._path}: no row for {_abbreviated([*self._unmatched])}")
        if unused := [key for key in self._rows if key not in self._used]:
            names = ["/".join(file) + (f", person {person}" if person else "") for file, person in unused]
            sentences.append(f"{self._path}: no input for {_abbreviated(names)}")
        return sentences


def _values(cells: Sequence[str]) -> list[Value]:
    """Convert the cells of a column: to integers or numbers if all of them are, otherwise to text."""
    matches = [_NUMBER.fullmatch(cell) for cell in cells if cell]
    if not matches or not all(matches):
        return [cell or None for cell in cells]
    convert = float if any(match and match[1] for match in matches) else int
    return [convert(cell) if cell else None for cell in cells]


def _abbreviated(names: Sequence[str]) -> str:
    """Format the first names of a list, and the number of the others."""
    return "; ".join(names[:5]) + (f"; and {len(names) - 5:,} more" if len(names) > 5 else "")


def _parts(name: str) -> _Parts:
    """Components of a path with any kind of slashes, in composed letters (NFC), since macOS decomposes them."""
    composed = unicodedata.normalize("NFC", name)
    return tuple(part for part in PurePosixPath(composed.replace("\\", "/")).parts if part != "/")


def _without_suffix(parts: _Parts) -> _Parts:
    """Remove the suffix of the file's name."""
    return (*parts[:-1], PurePosixPath(parts[-1]).stem)


def _read(path: Path) -> list[list[str]]:
    """Read the rows of a table; each has as many cells as the first. Empty rows are skipped."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path}: is larger than {_MAX_BYTES // 2**20} MB, which no table of participants is")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: is not UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise SourceError(f"{path}: is no CSV table ({error})") from error
    if len(rows) < 2:
        raise SourceError(f"{path}: expected a row of column names and a row per file")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise SourceError(f"{path}, row {number}: expected {len(rows[0])} cells, got {len(row)}")
    return rows
