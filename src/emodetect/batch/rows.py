"""Rows of readings, as all formats of a batch have them."""

from __future__ import annotations

import json
from typing import Any

from emodetect.sinks.records import CSV_COLUMNS, table_rows
from emodetect.types import FrameResult

READING_COLUMNS = tuple(dict.fromkeys((*CSV_COLUMNS, "angle")))
"""The columns of a reading behind its path: those of a log in CSV."""

COLUMNS = ("path", *READING_COLUMNS)
"""The columns of ``readings``: a row for each face, and one without a face for each frame or photo that shows none."""

_EMPTY = dict.fromkeys(READING_COLUMNS)


def rows(result: FrameResult) -> list[dict[str, Any]]:
    """The rows of a frame, without a path."""
    record = result.as_dict()
    found = table_rows(record) or [[record["frame"], record["time"]]]
    return [_EMPTY | dict(zip(CSV_COLUMNS, row, strict=False)) for row in found]


def lines(result: FrameResult) -> bytes:
    """The same as lines of JSON, which `with_path` completes."""
    return "".join(f"{json.dumps(row)}\n" for row in rows(result)).encode()


def with_path(path: str, line: bytes) -> bytes:
    """A line of JSON, made by `lines`, with the path of its input in front."""
    return b'{"path": ' + json.dumps(shown(path)).encode() + b", " + line[1:]


def shown(path: str) -> str:
    """A path as it stands in results: bytes that are no UTF-8 are escaped, which no reader of a table would take."""
    return path.encode("utf-8", "backslashreplace").decode()
