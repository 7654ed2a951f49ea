"""Results as data: the JSON and CSV of the output contract."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.files import open_output
from emodetect.sinks.base import Sink
from emodetect.text import csv_cell
from emodetect.types import EMOTIONS, FaceReading, Frame, FrameResult

RECORD_SUFFIXES = (".jsonl", ".csv")

_DIGITS = 6

_CSV_COLUMNS = (
    "frame", "time", "id", "x", "y", "width", "height", "emotion", "confidence", "uncertain",
    *(emotion.value for emotion in EMOTIONS),
)  # fmt: skip


def reading_as_dict(reading: FaceReading) -> dict[str, Any]:
    """A face's box, emotion and scores as the contract has them; emotion, confidence and scores are None if not known."""
    scores = reading.scores
    return {
        "box": reading.box.as_dict(),
        "emotion": scores.dominant.value if scores else None,
        "confidence": round(scores.confidence, _DIGITS) if scores else None,
        "uncertain": reading.uncertain,
        "scores": {name: round(score, _DIGITS) for name, score in scores.as_dict().items()} if scores else None,
    }


def image_as_dict(path: str, size: tuple[int, int], readings: Sequence[FaceReading]) -> dict[str, Any]:
    """An image's result as the contract has it; size is width and height in pixels."""
    return {
        "path": path,
        "width": size[0],
        "height": size[1],
        "faces": [reading_as_dict(reading) for reading in readings],
    }


def frame_as_dict(result: FrameResult) -> dict[str, Any]:
    """A frame's result as the contract has it."""
    faces = [{"id": reading.track_id, **reading_as_dict(reading)} for reading in result.readings]
    return {"frame": result.index, "time": round(result.timestamp, _DIGITS), "faces": faces}


class RecordWriter(Sink):
    """Writes a line of JSON for each frame, or, to a name ending in .csv, a row for each face.

    Each line is handed to the system as it is written, so that a run that is cut off leaves whole lines.

    Args:
        path: where to; may be a named pipe or a device.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._path = path
        self._file: TextIO = open(open_output(path, overwrite=overwrite), "w", encoding="utf-8", newline="", buffering=1)
        try:
            if path.suffix.lower() == ".csv":
                csv.writer(self._file, lineterminator="\n").writerow(_CSV_COLUMNS)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        try:
            if self._path.suffix.lower() == ".csv":
                csv.writer(self._file, lineterminator="\n").writerows(_csv_rows(result))
            else:
                self._file.write(json.dumps(frame_as_dict(result)) + "\n")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error

    @override
    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error


def _csv_rows(result: FrameResult) -> list[list[Any]]:
    rows = []
    for face in frame_as_dict(result)["faces"]:
        scores = face["scores"] or dict.fromkeys(emotion.value for emotion in EMOTIONS)
        uncertain = str(face["uncertain"]).lower()
        place = [result.index, round(result.timestamp, _DIGITS), face["id"], *face["box"].values()]
        rows.append([csv_cell(cell) for cell in (*place, face["emotion"], face["confidence"], uncertain, *scores.values())])
    return rows
