"""Output formats of `emodetect image`, written photo by photo."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from typing_extensions import Self, override

from emodetect.cli.messages import show
from emodetect.cli.standard_streams import STANDARD_OUTPUT
from emodetect.system.output_files import append_all
from emodetect.text.printable import printable, width

if TYPE_CHECKING:
    from rich.console import JustifyMethod

Record = dict[str, Any]
"""A photo's result in the output format, or ``{"path", "error"}``."""


class Results(ABC):
    """Prints the results of photos; a context manager.

    The output is complete however the block ends, except by a kill; an interrupt loses no finished photo.
    """

    @abstractmethod
    def add(self, record: Record) -> None:
        """Add a photo's result."""

    @abstractmethod
    def finish(self, *, failed: bool) -> None:
        """Print the rest; ``failed``: an error ended the run, possibly before the first photo."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not (isinstance(error, OSError) and error.filename == STANDARD_OUTPUT):
            self.finish(failed=error is not None)


class _Stream(Results):
    """Prints each result at once, in one write per photo.

    A separate thread writes, since the exceptions of SIGINT and SIGTERM in the main thread could interrupt a write.
    """

    def __init__(self) -> None:
        self._output = sys.stdout  # the current one: a progress bar replaces it
        self._writer = ThreadPoolExecutor(1, "print")
        self._begun = False

    @override
    def add(self, record: Record) -> None:
        text = self.separator() if self._begun else self.head()
        self._begun = True
        self._print(text + self.entry(record))

    @override
    def finish(self, *, failed: bool) -> None:
        if self._begun:
            self._print(self.tail())
        elif not failed:
            self._print(self.head() + self.tail())

    @override
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._writer:
            super().__exit__(kind, error, trace)

    def _print(self, text: str) -> None:
        if text:
            self._writer.submit(_write, self._output, text).result()

    def head(self) -> str:
        """Text before the first photo."""
        return ""

    @abstractmethod
    def entry(self, record: Record) -> str:
        """Text of a photo."""

    def separator(self) -> str:
        """Text between two photos."""
        return ""

    def tail(self) -> str:
        """Text after the last photo."""
        return ""


class _JsonLines(_Stream):
    @override
    def entry(self, record: Record) -> str:
        return json.dumps(record) + "\n"


class _Json(_Stream):
    """One array, which a kill leaves without its end."""

    @override
    def head(self) -> str:
        return "["

    @override
    def entry(self, record: Record) -> str:
        return "\n" + textwrap.indent(json.dumps(record, indent=2), "  ")

    @override
    def separator(self) -> str:
        return ","

    @override
    def tail(self) -> str:
        return "\n]\n" if self._begun else "]\n"


class _Csv(_Stream):
    """CSV rows, as `emodetect video` logs them for a clip of one frame, each with the photo's path.

    Args:
        continues: whether the rows are appended to those of an earlier run, without a header.
    """

    def __init__(self, continues: bool) -> None:
        super().__init__()
        self._continues = continues

    @override
    def head(self) -> str:
        from emodetect.sinks.records import PHOTO_CSV_COLUMNS, as_csv

        return "" if self._continues else as_csv([PHOTO_CSV_COLUMNS])

    @override
    def entry(self, record: Record) -> str:
        from emodetect.sinks.records import as_csv, photo_csv_rows

        return as_csv(photo_csv_rows(record))


class _Table(Results):
    """A table with one row per face, printed at the end, since the longest text determines the width of a column."""

    def __init__(self) -> None:
        self._records: list[Record] = []

    @override
    def add(self, record: Record) -> None:
        self._records.append(record)

    @override
    def finish(self, *, failed: bool) -> None:
        _print_table(self._records)


FORMATS = "table", "json", "jsonl", "csv"


def open_results(output_format: str, *, resume: bool = False) -> Results:
    """Create the printer for one of `FORMATS`.

    Args:
        output_format: the format.
        resume: whether an earlier run is resumed, whose results standard output may be appended to.
    """
    if output_format == "csv":
        return _Csv(continues=resume and _is_appended_to())
    formats: dict[str, Callable[[], Results]] = {"table": _Table, "json": _Json, "jsonl": _JsonLines}
    return formats[output_format]()


def _is_appended_to() -> bool:
    """Whether standard output is a non-empty file, as with ``>>``."""
    try:
        found = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _write(output: TextIO, text: str) -> None:
    """Write a text and flush it."""
    try:
        descriptor = output.fileno()
    except (OSError, ValueError):
        descriptor = None
    if descriptor is None:
        output.write(text)
        output.flush()
        return
    output.flush()
    try:
        append_all(descriptor, text.encode(output.encoding or "utf-8", output.errors or "strict"))
    except OSError as error:
        error.filename = STANDARD_OUTPUT
        raise


def _print_table(records: Sequence[Record]) -> None:
    from rich.table import Table

    from emodetect.cli.table import cell, name_cell, show_table

    # A missing file is no photo; its error is on standard error.
    rows = [row for record in records if os.path.isfile(record["path"]) for row in _rows(record)]
    if not rows:
        return
    headers = ["photo", "face", "emotion", "confidence", "runner-up"]
    widths = [max(map(width, column)) for column in zip(headers, *rows, strict=True)]
    is_narrow = sys.stdout.isatty() and sum(widths) + 2 * (len(widths) - 1) > shutil.get_terminal_size().columns
    shown = headers[:-1] if is_narrow else headers
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in shown:
        justify: JustifyMethod = "right" if header in ("face", "confidence") else "left"
        style = "dim" if header == "runner-up" else ""
        is_folded = header in ("photo", "emotion")
        table.add_column(header, justify=justify, style=style, no_wrap=not is_folded, overflow="fold")
    for row in rows:
        cells = [name_cell(row[0]), *(cell(text) for text in row[1 : len(shown)])]
        if not row[3]:
            cells[2].stylize("dim")
        table.add_row(*cells)
    show_table(table)
    if any(face["uncertain"] and face["scores"] for record in records for face in record.get("faces", [])):
        show("? uncertain: do not rely on it")


def _rows(record: Record) -> list[list[str]]:
    """Table rows of a photo, one per face."""
    name, faces = printable(record["path"]), record.get("faces", [])
    if not faces:
        return [[name, "", "cannot be read" if "error" in record else "no face found", "", ""]]
    rows = []
    for number, face in enumerate(faces, start=1):
        shown = name if number == 1 else ""
        if face["scores"] is None:
            rows.append([shown, str(number), "not read", "", ""])
            continue
        second, score = sorted(face["scores"].items(), key=lambda item: -item[1])[1]
        emotion = face["emotion"] + ("?" if face["uncertain"] else "")
        runner_up = f"{second} {score:.0%}" if score >= 0.005 else ""
        rows.append([shown, str(number), emotion, f"{face['confidence']:.0%}", runner_up])
    return rows
