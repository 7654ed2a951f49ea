"""Rows of readings, as all formats of a batch have them."""

from __future__ import annotations

import json
from typing import Any

from emodetect.sinks.records import CSV_COLUMNS, table_rows
from emodetect.types import EMOTIONS, FrameResult

READING_COLUMNS = (
    "time", "frame", "person", "x", "y", "width", "height", "angle", "emotion", "confidence", "uncertain",
    *(emotion.value for emotion in EMOTIONS),
)  # fmt: skip
"""The columns of a reading behind its path; ``person`` is the ``id`` of a log."""

COLUMNS = ("path", *READING_COLUMNS)
"""The columns of ``readings``: a row for each face, and one without a person for each frame or photo that shows none."""


def rows(result: FrameResult, *, is_photo: bool) -> list[dict[str, Any]]:
    """The rows of a frame, or of a photo, which has no time; without a path."""
    record = result.as_dict()
    found = []
    for values in table_rows(record) or [[record["frame"], record["time"]]]:
        row = dict(zip(CSV_COLUMNS, values, strict=False))
        row["person"] = row.get("id")
        found.append({name: row.get(name) for name in READING_COLUMNS} | ({"time": None} if is_photo else {}))
    return found


def lines(result: FrameResult, *, is_photo: bool) -> bytes:
    """The same as lines of JSON, which `with_path` completes."""
    return "".join(f"{json.dumps(row)}\n" for row in rows(result, is_photo=is_photo)).encode()


def with_path(path: str, line: bytes) -> bytes:
    """A line of JSON, made by `lines`, with the path of its input in front."""
    return b'{"path": ' + json.dumps(shown(path)).encode() + b", " + line[1:]


def shown(path: str) -> str:
    """A path as it stands in results: bytes that are no UTF-8 are escaped, which no reader of a table would take."""
    return path.encode("utf-8", "backslashreplace").decode()
