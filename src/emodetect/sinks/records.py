"""JSON and CSV of results, as in the output contract."""

from __future__ import annotations

import csv
import errno
import io
import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.sinks.base import Sink
from emodetect.system.install_hints import pip
from emodetect.system.output_files import append_whole, check_still_there, is_named_pipe, open_output
from emodetect.text.printable import counted, csv_cell
from emodetect.types import EMOTIONS, FaceReading, Frame, FrameResult, kind_of

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger(__name__)

RECORD_SUFFIXES = (".jsonl", ".csv")

CSV_COLUMNS = (
    "frame", "time", "id", "x", "y", "width", "height", "emotion", "confidence", "uncertain",
    *(emotion.value for emotion in EMOTIONS),
)  # fmt: skip
"""The columns of a CSV log, one row per face."""

_UNCERTAIN = CSV_COLUMNS.index("uncertain")


def image_as_dict(path: str, size: tuple[int, int], readings: Sequence[FaceReading]) -> dict[str, Any]:
    """The result of an image as in the output contract.

    Args:
        path: of the image, as it is shown.
        size: width and height, pixels.
        readings: of its faces.
    """
    return {
        "path": path,
        "width": size[0],
        "height": size[1],
        "faces": [reading.as_dict() for reading in readings],
    }


class RecordWriter(Sink):
    """Writes one line of JSON per frame or, if the name ends in .csv, one row per face.

    Each frame is written at once and in one piece. So an interrupted run, even by SIGKILL or a full disk, leaves whole lines.
    Where the reader of a named pipe goes away, writing goes on with the next one.

    Args:
        path: file to write; may be a named pipe or a device, or - for standard output.
        overwrite: whether an existing file may be replaced.
        waits: whether to wait for the next reader of a named pipe. If not, frames are left out until there is one.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, waits: bool = True) -> None:
        self._path, self._waits = path, waits
        self._has_reader, self._left_out = True, 0
        self._is_csv = path.suffix.lower() == ".csv"
        self._file: int | None = open_output(path, overwrite=overwrite)
        try:
            if self._is_csv:
                self._append(_as_csv([CSV_COLUMNS]))
        except OutputError:
            self.close()
            raise

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one frame.

        Args:
            frame: the frame.
            result: its result.

        Raises:
            OutputError: it cannot be written.
            BrokenPipeError: the reader of standard output, or of a pipe without a name, has gone away.
        """
        if not self._has_reader and not self._find_reader():
            self._left_out += 1
            return
        self._append(_as_csv(csv_rows(result.as_dict())) if self._is_csv else json.dumps(result.as_dict()) + "\n")

    def _append(self, text: str) -> None:
        assert self._file is not None
        try:
            append_whole(self._file, text.encode())
        except BrokenPipeError:
            if not is_named_pipe(self._path):
                raise
            _log.warning("%s: its reader has gone away; writing goes on with the next one", self._path)
            self._has_reader, self._left_out = False, 1
            if self._waits and self._find_reader():
                self._append(text)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error
        check_still_there(self._path, self._file)

    def _find_reader(self) -> bool:
        """Open the named pipe again, if it has a reader or is to wait for one; returns whether it has one."""
        assert self._file is not None
        try:
            fresh = os.open(self._path, os.O_WRONLY | (0 if self._waits else os.O_NONBLOCK))
        except OSError as error:
            if error.errno == errno.ENXIO:
                return False
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error
        os.set_blocking(fresh, True)
        os.close(self._file)
        self._file, self._has_reader = fresh, True
        if not self._waits:
            _log.warning("%s: has a reader again; %s not written", self._path, _were(self._left_out))
        if self._is_csv:
            self._append(_as_csv([CSV_COLUMNS]))
        return self._has_reader

    @override
    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.close(file)
            except OSError as error:
                raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error


def _were(number: int) -> str:
    return f"{counted(number, 'frame')} {'was' if number == 1 else 'were'}"


def _as_csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_rows(frame: Mapping[str, Any]) -> list[list[object]]:
    """Rows of `CSV_COLUMNS`, one per face, with cells as CSV writes them; ``frame`` is a `FrameResult.as_dict`."""
    rows = table_rows(frame)
    for row in rows:
        row[_UNCERTAIN] = str(row[_UNCERTAIN]).lower()
    return [[csv_cell(cell) for cell in row] for row in rows]


def table_rows(frame: Mapping[str, Any]) -> list[list[Any]]:
    """Like `csv_rows`, but with the plain values."""
    rows = []
    for face in frame["faces"]:
        scores = face["scores"] or dict.fromkeys(emotion.value for emotion in EMOTIONS)
        place = frame["frame"], frame["time"], face["id"], *face["box"].values()
        rows.append([*place, face["emotion"], face["confidence"], face["uncertain"], *scores.values()])
    return rows


def to_dataframe(results: FrameResult | Iterable[FrameResult | tuple[Frame, FrameResult]]) -> pandas.DataFrame:
    """Convert results to a table with one row per face and the columns of a CSV log.

    >>> table = emodetect.to_dataframe(emodetect.analyze("examples/astronaut.jpg"))
    >>> table[["frame", "id", "emotion", "uncertain"]].values.tolist()
    [[0, 1, 'happy', False]]

    Args:
        results: a result, or several in order, also pairs as `stream` yields them. All rows are held in memory.

    Returns:
        The columns frame, time, id, x, y, width, height, emotion, confidence, uncertain, and one for each emotion. A face without
        scores has missing values there.

    Raises:
        ImportError: pandas is not installed.
        TypeError: there is something else among the results.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"to_dataframe needs pandas: {pip('install pandas')}") from error
    if not isinstance(results, FrameResult | Iterable):
        raise TypeError(f"expected results, got {kind_of(results)}")
    rows = []
    for entry in [results] if isinstance(results, FrameResult) else results:
        result = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        if not isinstance(result, FrameResult):
            raise TypeError(f"expected a FrameResult, got {kind_of(result)}")
        rows += table_rows(result.as_dict())
    return pandas.DataFrame(rows, columns=[*CSV_COLUMNS])
