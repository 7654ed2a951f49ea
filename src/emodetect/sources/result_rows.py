"""Results as table rows, one per face: of a CSV log, of photos, or of many inputs."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from emodetect.errors import SourceError
from emodetect.text.printable import counted
from emodetect.types import EMOTIONS

Row = Mapping[str, Any]
"""A row by column name; the cells of a CSV are text, empty cells are ""."""

_SCORES = [emotion.value for emotion in EMOTIONS]

_BOX = ["x", "y", "width", "height"]

_REQUIRED = {"frame", "time", "uncertain", *_BOX, *_SCORES}
"""Required columns besides the face's id, which is ``id`` in a log and ``person`` in a table of many inputs."""

_LONG_STEP = 2.5
"""Gap between rows, in usual steps, above which frames without faces are missing."""

_log = logging.getLogger(__name__)


def csv_rows(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Row]]:
    """Read the numbered rows of a CSV. In a truncated table, as after a crash, the last frame is dropped.

    Args:
        path: the file, for messages.
        lines: its numbered lines.

    Raises:
        SourceError: the columns are not those of results.
        ValueError: a row has the wrong number of cells.
    """
    yield from complete_frames(path, _csv_records(path, lines), _csv_shares_frame)


def _csv_records(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Row | None, str]]:
    header: list[str] = []
    for number, line in lines:
        cells = next(csv.reader([line]), [])
        if not header:
            header = cells
            if missing := missing_columns(header):
                raise SourceError(f"{path}: not a log: its first line lacks {', '.join(missing[:3])}")
        elif not line.endswith("\n"):
            yield number, None, line
        elif cells:
            if len(cells) != len(header):
                raise ValueError(f"expected {len(header)} cells, got {len(cells)}", number)
            yield number, dict(zip(header, cells, strict=True)), line


def _csv_shares_frame(row: Row, line: str, cut: str) -> bool:
    cells = dict(zip(row, next(csv.reader([cut]), []), strict=False))
    return all(row[name].startswith(cells.get(name, "")) for name in ("path", "frame", "time") if name in cells)


def complete_frames(
    path: Path, records: Iterable[tuple[int, Row | None, str]], shares_frame: Callable[[Row, str, str], bool]
) -> Iterator[tuple[int, Row]]:
    """Yield the numbered rows of a table. In a truncated table, as after a crash, the last frame is dropped.

    Args:
        path: the file, for messages.
        records: number, row and text of each line; the row of an incomplete last line is None.
        shares_frame: whether the text of an incomplete line may belong to the frame of a row, given with its own text.
    """
    held: list[tuple[int, Row]] = []
    before, count = "", 0
    for number, row, text in records:
        if row is None:
            if held and shares_frame(held[-1][1], before, text):
                held = []  # some faces of this frame are missing
            warn_of_cut(path, counted(count, "row"))
            break
        if held and _frame_of(held[-1][1]) != _frame_of(row):
            yield from held
            held = []
        held.append((number, row))
        before, count = text, count + 1
    yield from held


def warn_of_cut(path: Path, read: str) -> None:
    """Warn that the last line is incomplete; ``read`` says what was read."""
    _log.warning("%s: the last line is cut off; what is whole was read, %s", path, read)


def missing_columns(columns: Iterable[str]) -> list[str]:
    """Columns of results that are missing in a table."""
    return sorted(_REQUIRED - {*columns}) or ["id"] * (not {"id", "person"} & {*columns})


def rows_as_frames(rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, str | None, dict[str, Any]]]:
    """Group consecutive rows to frames.

    Args:
        rows: numbered rows, in order.

    Yields:
        The line number of a frame's first row, the path of the input if there is such a column, and a record like
        `FrameResult.as_dict`, whose ``time`` is None for a photo.

    Raises:
        ValueError: a cell is invalid; its second argument is the line number.
    """
    for (path, _, _), group in groupby(rows, key=lambda row: _frame_of(row[1])):
        together = list(group)
        first = together[0][1]
        # Only the table of photos has both: a log has no path, and a table of many inputs calls the face's id "person".
        is_photo = path is not None and ("id" in first or is_empty(first["time"]))
        faces = []
        for number, row in together:
            try:
                face = _face(row)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(str(error), number) from error
            if face is not None:
                faces.append(face)
        try:
            time = None if is_photo else float(first["time"])
            yield together[0][0], path, {"frame": _parse_integer(first["frame"]), "time": time, "faces": faces}
        except (ValueError, TypeError) as error:
            raise ValueError(str(error), together[0][0]) from error


class MissingFrames:
    """Detects a CSV log of an older version, in which frames without faces have no row."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._has_faceless = False

    def add(self, frame: Mapping[str, Any]) -> None:
        """Add the next frame of the log."""
        self._times.append(frame["time"])
        self._has_faceless |= not frame["faces"]

    def __bool__(self) -> bool:
        steps = np.diff(self._times)
        return not self._has_faceless and len(steps) > 1 and bool((steps > _LONG_STEP * np.median(steps)).any())


def _frame_of(row: Row) -> tuple[str | None, Any, Any]:
    return row.get("path"), row["frame"], None if is_empty(row["time"]) else row["time"]  # NaN is not equal to itself


def _face(row: Row) -> dict[str, Any] | None:
    """Face of a row; None for a frame without faces."""
    number = row["id"] if "id" in row else row["person"]
    if is_empty(number):
        return None
    scores = None if is_empty(row[_SCORES[0]]) else {name: float(row[name]) for name in _SCORES}
    box = {side: _parse_integer(row[side]) for side in _BOX}
    angle = row.get("angle")  # missing in tables of older versions
    return {
        "id": _parse_integer(number),
        "box": box,
        "uncertain": _truth(row["uncertain"]),
        "scores": scores,
        "emotion": None if is_empty(row.get("emotion")) else row["emotion"],
        "angle": None if is_empty(angle) else float(str(angle)),
    }


def is_empty(cell: Any) -> bool:
    """Whether a cell is empty: null, an empty text, or NaN, which some programs write for null."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _parse_integer(cell: Any) -> int:
    """Parse an integer; programs without nullable integers write 3.0 for 3."""
    number = float(cell)
    if isinstance(cell, bool) or not number.is_integer() or abs(number) >= 2**53:
        raise ValueError(f"expected a whole number, got {str(cell)[:40]}")
    return int(number)


def _truth(cell: Any) -> bool:
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    try:
        return {"true": True, "false": False, "1": True, "0": False}[str(cell).lower()]
    except KeyError:
        raise ValueError(f"expected true or false, got {str(cell)[:40]}") from None


def parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Read the numbered rows of a Parquet file, in batches.

    Raises:
        SourceError: pyarrow is missing, the file cannot be read, or its columns are not those of results.
    """
    pyarrow = import_pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns: Sequence[str] = file.schema_arrow.names
            if missing := missing_columns(columns):
                raise SourceError(f"{path}: not a table of results: it lacks {', '.join(missing[:3])}")
            number = 0
            wanted = [name for name in columns if name in _REQUIRED | {"path", "id", "person", "angle", "emotion"}]
            for batch in file.iter_batches(columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise SourceError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error


def import_pyarrow() -> Any:
    """Import pyarrow with its Parquet module.

    Raises:
        SourceError: pyarrow is not installed.
    """
    from emodetect.system.install_hints import extra_cure

    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise SourceError("Parquet needs pyarrow", hint=extra_cure("batch")) from error
    return pyarrow
