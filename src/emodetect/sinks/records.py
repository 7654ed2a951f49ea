"""JSON and CSV output of results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.sinks.base import Sink
from emodetect.sinks.line_file import LineFile
from emodetect.sinks.named_pipe import NamedPipe
from emodetect.system.install_hints import pip
from emodetect.system.output_files import is_named_pipe, open_output
from emodetect.text.printable import csv_cell
from emodetect.types import EMOTIONS, FaceReading, Frame, FrameResult, kind_of

if TYPE_CHECKING:
    import pandas

RECORD_SUFFIXES = (".jsonl", ".csv")

CSV_COLUMNS = (
    "frame", "time", "id", "x", "y", "width", "height", "emotion", "confidence", "uncertain",
    *(emotion.value for emotion in EMOTIONS), "angle",
)  # fmt: skip
"""Columns of a CSV log: one row per face; a frame without faces has one row with only the first two columns."""

PHOTO_CSV_COLUMNS = ("path", *CSV_COLUMNS)
"""Columns of the CSV of photos: a path, then the columns of a clip with a single frame."""

_UNCERTAIN = CSV_COLUMNS.index("uncertain")


def image_as_dict(path: str, size: tuple[int, int], readings: Sequence[FaceReading]) -> dict[str, Any]:
    """Convert the result of a photo to a dictionary, as in the output format.

    Args:
        path: path of the photo, as displayed.
        size: width and height, pixels.
        readings: its readings.
    """
    return {
        "path": path,
        "width": size[0],
        "height": size[1],
        "faces": [reading.as_dict() for reading in readings],
    }


class RecordWriter(Sink):
    """Writes one line of JSON per frame or, if the name ends in .csv, one row per face and one for a frame without faces.

    Each frame is one write. An interrupted run, even by SIGKILL or a full disk, thus leaves whole lines. After the reader of a
    named pipe has closed it, writing continues with the next reader.

    Args:
        path: file to write; may be a named pipe or a device, or - for standard output.
        overwrite: whether an existing file may be replaced.
        waits: whether to block until a named pipe has a reader. If not, frames without a reader are dropped.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, waits: bool = True) -> None:
        self._is_csv = is_csv(path)
        header = as_csv([CSV_COLUMNS]) if self._is_csv else ""
        self._file = _open(path, open_output(path, overwrite=overwrite), header, waits)
        try:
            if header:
                self._file.append(header)
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
            OutputError: the frame cannot be written.
            BrokenPipeError: the reader of standard output, or of an anonymous pipe, has closed it.
        """
        self._file.append(as_csv(csv_rows(result.as_dict())) if self._is_csv else json.dumps(result.as_dict()) + "\n")

    @override
    def close(self) -> None:
        self._file.close()


def _open(path: Path, descriptor: int, header: str, waits: bool) -> LineFile:
    return NamedPipe(path, descriptor, header=header, waits=waits) if is_named_pipe(path) else LineFile(path, descriptor)


def is_csv(path: Path) -> bool:
    """Whether a log of this name is CSV rather than JSON lines."""
    return path.suffix.lower() == ".csv"


def as_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Format rows as CSV lines."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_rows(frame: Mapping[str, Any]) -> list[list[object]]:
    """Convert a `FrameResult.as_dict` to rows of `CSV_COLUMNS`, with cells formatted for CSV."""
    rows = table_rows(frame)
    for row in rows:
        row[_UNCERTAIN] = str(row[_UNCERTAIN]).lower()
    if not rows:
        return [[frame["frame"], frame["time"], *[""] * (len(CSV_COLUMNS) - 2)]]
    return [[csv_cell(cell) for cell in row] for row in rows]


def photo_csv_rows(record: Mapping[str, Any]) -> list[list[object]]:
    """Convert an `image_as_dict` to rows of `PHOTO_CSV_COLUMNS`; a photo that could not be read (``error``) has none."""
    if "error" in record:
        return []
    faces = [{"id": number, **face} for number, face in enumerate(record["faces"], start=1)]
    rows = csv_rows({"frame": 0, "time": 0.0, "faces": faces})
    return [[csv_cell(record["path"]), *row] for row in rows]


def table_rows(frame: Mapping[str, Any]) -> list[list[Any]]:
    """Convert a `FrameResult.as_dict` to the values of `CSV_COLUMNS`, one row per face."""
    rows = []
    for face in frame["faces"]:
        scores = face["scores"] or dict.fromkeys(emotion.value for emotion in EMOTIONS)
        place = frame["frame"], frame["time"], face["id"], *face["box"].values()
        rows.append([*place, face["emotion"], face["confidence"], face["uncertain"], *scores.values(), face.get("angle")])
    return rows


def to_dataframe(results: FrameResult | Iterable[FrameResult | tuple[Frame, FrameResult]]) -> pandas.DataFrame:
    """Convert results to a table with one row per face and the columns of a CSV log.

    >>> table = emodetect.to_dataframe(emodetect.analyze("examples/astronaut.jpg"))
    >>> table[["frame", "id", "emotion", "uncertain"]].values.tolist()
    [[0, 1, 'happy', False]]

    Args:
        results: a result, or several in order, also pairs as from `stream`. All rows are held in memory.

    Returns:
        The columns frame, time, id, x, y, width, height, emotion, confidence, uncertain, one per emotion, and angle. Scores and
        angle are missing values for a face that has none.

    Raises:
        ImportError: pandas is not installed.
        TypeError: a result has the wrong type.
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
