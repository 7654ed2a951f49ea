"""Rows of readings, in all formats of a batch."""

from __future__ import annotations

import json
from typing import Any

from emodetect.sinks.records import CSV_COLUMNS, table_rows
from emodetect.types import EMOTIONS, FrameResult

READING_COLUMNS = (
    "time", "frame", "person", "x", "y", "width", "height", "angle", "emotion", "confidence", "uncertain",
    *(emotion.value for emotion in EMOTIONS),
)  # fmt: skip
"""Columns of a reading after its path; ``person`` is the ``id`` of a log."""

COLUMNS = ("path", *READING_COLUMNS)
"""Columns of ``readings``: one row per face, and one without a person per frame or photo without faces."""


def rows(result: FrameResult, *, is_photo: bool) -> list[dict[str, Any]]:
    """Rows of a frame, or of a photo, which has no time; without a path."""
    record = result.as_dict()
    found = []
    for values in table_rows(record) or [[record["frame"], record["time"]]]:
        row = dict(zip(CSV_COLUMNS, values, strict=False))
        row["person"] = row.get("id")
        found.append({name: row.get(name) for name in READING_COLUMNS} | ({"time": None} if is_photo else {}))
    return found


def lines(result: FrameResult, *, is_photo: bool) -> bytes:
    """Rows as JSON lines, which `with_path` completes."""
    return "".join(f"{json.dumps(row)}\n" for row in rows(result, is_photo=is_photo)).encode()


def with_path(path: str, line: bytes) -> bytes:
    """Insert the path of the input into a JSON line from `lines`."""
    return b'{"path": ' + json.dumps(shown(path)).encode() + b", " + line[1:]


def shown(path: str) -> str:
    """Path for results; bytes that are invalid UTF-8, which table readers reject, are escaped."""
    return path.encode("utf-8", "backslashreplace").decode()
