"""Writers of the table, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from emodetect.sinks.records import as_csv
from emodetect.sources.result_rows import import_pyarrow
from emodetect.summary.table import Row
from emodetect.text.printable import csv_cell

_CHUNK = 10_000
"""Number of rows per write."""


def write_text(output: TextIO, rows: Iterable[Row], columns: Iterable[str], *, as_json: bool) -> None:
    """Write the table as CSV, or as a JSON array of objects. Unknown values are empty cells, or null.

    Args:
        output: text stream to write to.
        rows: the rows.
        columns: their columns, in order.
        as_json: whether to write JSON.
    """
    if as_json:
        start = "["
        for row in rows:
            output.write(f"{start}\n  {json.dumps(row)}")
            start = ","
        output.write("[]\n" if start == "[" else "\n]\n")
        return
    columns = [*columns]
    output.write(as_csv([columns]))
    for chunk in _chunks(rows):
        output.write(as_csv([["" if row[name] is None else csv_cell(row[name]) for name in columns] for row in chunk]))


def write_parquet(path: Path, rows: Iterable[Row], columns: Mapping[str, type]) -> None:
    """Write the table as Parquet.

    Args:
        path: the file.
        rows: the rows.
        columns: their columns, in order, each with the type of its values.

    Raises:
        SourceError: pyarrow is not installed.
    """
    pyarrow = import_pyarrow()
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(rows):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema))


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(rows)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk
