"""JSON and CSV of results, as in the output contract."""

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
"""The columns of a CSV log: one row per face, and one for a frame without faces, of which only the first two are filled."""

PHOTO_CSV_COLUMNS = ("path", *CSV_COLUMNS)
"""The columns of the CSV of photos: each is a clip of one frame, after its path."""

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
    """Writes one line of JSON per frame or, if the name ends in .csv, one row per face and one for a frame without faces.

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
            OutputError: it cannot be written.
            BrokenPipeError: the reader of standard output, or of a pipe without a name, has gone away.
        """
        self._file.append(as_csv(csv_rows(result.as_dict())) if self._is_csv else json.dumps(result.as_dict()) + "\n")

    @override
    def close(self) -> None:
        self._file.close()


def _open(path: Path, descriptor: int, header: str, waits: bool) -> LineFile:
    return NamedPipe(path, descriptor, header=header, waits=waits) if is_named_pipe(path) else LineFile(path, descriptor)


def is_csv(path: Path) -> bool:
    """Whether a log of this name has CSV rows, not JSON lines."""
    return path.suffix.lower() == ".csv"


def as_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of cells as CSV has them, each ending a line."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_rows(frame: Mapping[str, Any]) -> list[list[object]]:
    """Rows of `CSV_COLUMNS`, with cells as CSV writes them; ``frame`` is a `FrameResult.as_dict`."""
    rows = table_rows(frame)
    for row in rows:
        row[_UNCERTAIN] = str(row[_UNCERTAIN]).lower()
    if not rows:
        return [[frame["frame"], frame["time"], *[""] * (len(CSV_COLUMNS) - 2)]]
    return [[csv_cell(cell) for cell in row] for row in rows]


def photo_csv_rows(record: Mapping[str, Any]) -> list[list[object]]:
    """Rows of `PHOTO_CSV_COLUMNS`; ``record`` is an `image_as_dict`. A photo that could not be read (``error``) has none."""
    if "error" in record:
        return []
    faces = [{"id": number, **face} for number, face in enumerate(record["faces"], start=1)]
    rows = csv_rows({"frame": 0, "time": 0.0, "faces": faces})
    return [[csv_cell(record["path"]), *row] for row in rows]


def table_rows(frame: Mapping[str, Any]) -> list[list[Any]]:
    """The values of `CSV_COLUMNS`, a row per face; ``frame`` is a `FrameResult.as_dict`."""
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
        results: a result, or several in order, also pairs as `stream` yields them. All rows are held in memory.

    Returns:
        The columns frame, time, id, x, y, width, height, emotion, confidence, uncertain, one for each emotion, and angle. A face
        without scores has missing values there, and one without landmarks no angle.

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
