"""Readers of emodetect's own results: logs of clips, results of photos, and tables of many inputs."""

from __future__ import annotations

import codecs
import csv
import json
import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from emodetect.backends.labels import suggest_label
from emodetect.errors import SourceError, first_line
from emodetect.sources.result_rows import MissingFrames, Row, complete_frames, csv_rows, parquet_rows, rows_as_frames, warn_of_cut
from emodetect.text.numbers import MAX_NUMBER
from emodetect.text.printable import counted
from emodetect.text.suggestions import did_you_mean_file, suggest_other_command
from emodetect.types import EMOTIONS, Box, EmotionScores, FaceReading, FrameResult

MAX_LOG_BYTES = 2**32
"""Maximum size of a log, bytes. A live session with two people writes half as much per day; in memory it takes a quarter."""

_MAX_LINE_BYTES = 2**22
"""Maximum length of a frame's line, bytes; a face takes some 370 bytes."""

_MAX_PEOPLE = 100_000
"""Maximum number of face ids in a log, each of which takes memory while the log is read."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_CUT = object()
"""Content of an incomplete line."""

_NAMES = [emotion.value for emotion in EMOTIONS]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A frame of a log, or of a table of many inputs.

    Attributes:
        path: path of the input in a table; None in a log.
        result: result of the frame; at 0 s for a photo.
        is_photo: whether it is a photo, whose timestamp has no meaning.
    """

    path: str | None
    result: FrameResult
    is_photo: bool = False


def read_log(path: Path, advance: Callable[[int], object] | None = None) -> Iterator[FrameResult]:
    """Read the results of a log, JSON lines or CSV, in order, one in memory at a time.

    If the last line is incomplete, as after a crash, the logger ``emodetect`` warns, and the lines before it are read. It also
    warns if frames without faces seem to be missing in a CSV, as in those of older versions.

    Args:
        path: the file.
        advance: called with the number of bytes of each line, for a progress bar.

    Raises:
        SourceError: the file cannot be read, is too large, has no frame, or has an invalid line.
    """
    for entry in read_entries(path, advance):
        if entry.path is not None:
            raise SourceError(f"{path}: not a log of one clip but the readings of many inputs; emodetect summarize reads those")
        yield entry.result


def read_entries(path: Path, advance: Callable[[int], object] | None = None) -> Iterator[Entry]:
    """Read a log as `read_log`, but also results of photos (JSON lines, CSV) and of many inputs (also Parquet).

    Args:
        path: the file.
        advance: as for `read_log`.

    Raises:
        SourceError: as for `read_log`; or the frames of one input are not consecutive.
    """
    frames: Iterator[tuple[int, str | None, Mapping[str, Any]]]
    lines = _lines(path, advance)
    suffix = path.suffix.lower()
    missing = MissingFrames() if suffix == ".csv" else None
    try:
        frames = {".csv": _csv_frames, ".parquet": _parquet_frames}.get(suffix, _json_frames)(path, lines)
        number, before = 0, -math.inf
        current: str | None = None
        people: set[int] = set()
        done: set[str | None] = set()
        for number, name, record in frames:
            try:
                if not isinstance(record, Mapping):
                    raise ValueError("expected an object with frame, time and faces")
                result = _result({**record, "time": 0.0} if record["time"] is None else record)
                if not abs(result.timestamp) <= MAX_NUMBER:
                    raise ValueError(f"its time is no number of seconds up to {MAX_NUMBER:,.0f}")
                if name != current or not done:
                    if name in done:
                        raise ValueError("the input was on earlier lines as well; sort them by path and frame")
                    done.add(name)
                    current, before, people = name, -math.inf, set()
                if not before < result.timestamp:
                    raise ValueError("its time is not after that of the line before")
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
                why = f"it has no {error}" if isinstance(error, KeyError) else first_line(error)
                raise _no_frame(path, number, why) from error
            before = result.timestamp
            people.update(reading.track_id for reading in result.readings)
            if len(people) > _MAX_PEOPLE:
                raise SourceError(f"{path}, line {number}: more than {_MAX_PEOPLE:,} people, the most that a log may have")
            if missing is not None and name is None:
                missing.add(record)
            yield Entry(name, result, record["time"] is None)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except IsADirectoryError:
        raise SourceError(f"{path}: is a folder, not a log") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not number:
        raise SourceError(f"{path}: holds no frame")
    if missing:
        _log.warning(
            "%s: no frame without faces has a row, as in CSV logs of older versions; absences of up to a second count as seen",
            path,
        )


def _lines(path: Path, advance: Callable[[int], object] | None) -> Iterator[tuple[int, str]]:
    """Numbered lines of a file; too large files are rejected before they are read."""
    number = total = 0
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_LOG_BYTES:
            raise _too_large(path)
        while line := file.readline(_MAX_LINE_BYTES + 1):
            number, total = number + 1, total + len(line)
            if len(line) > _MAX_LINE_BYTES:
                raise _no_frame(path, number, f"longer than {_MAX_LINE_BYTES:,} bytes")
            if total > MAX_LOG_BYTES:  # a pipe has no size in advance
                raise _too_large(path)
            if advance is not None:
                advance(len(line))
            if number == 1 and (line.startswith(_UTF_16) or b"\0" in line[:4]):
                raise _no_text(path, "it is UTF-16, or no text; save it as UTF-8")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")  # editors on Windows add a byte order mark
            except UnicodeDecodeError:
                raise _no_text(path, f"line {number} is not UTF-8 text") from None
            yield number, text


def _json_frames(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str | None, Mapping[str, Any]]]:
    """Frames in JSON lines of a log, of photos, or of a table of many inputs."""
    records = _json_records(path, lines)
    for number, record, text in records:
        if record is _CUT:
            warn_of_cut(path, counted(number - 1, "frame"))
        elif isinstance(record, Mapping) and "faces" not in record and "person" in record:
            try:
                rows = _table_records(chain([(number, record, text)], records))
                yield from rows_as_frames(complete_frames(path, rows, _json_shares_frame))
            except (ValueError, KeyError) as error:
                raise _no_frame(path, *_line_and_message(error, number)) from error
        elif isinstance(record, Mapping) and "path" in record:
            if "error" not in record:
                yield number, str(record["path"]), _photo(path, number, record)
        else:
            yield number, None, record


def _table_records(records: Iterable[tuple[int, Any, str]]) -> Iterator[tuple[int, Row | None, str]]:
    """Records of a table of many inputs, as `complete_frames` expects them."""
    for number, record, text in records:
        if record is _CUT:
            yield number, None, text
        elif isinstance(record, Mapping):
            yield number, record, text
        else:
            raise ValueError("expected an object with the columns of the table", number)


def _json_shares_frame(row: Row, text: str, cut: str) -> bool:
    start = text.partition('"person"')[0]  # path, time and frame
    return cut.startswith(start) or start.startswith(cut)


def _photo(path: Path, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a photo's record to a frame's."""
    try:
        faces = [{"id": place, **face} for place, face in enumerate(record["faces"], start=1)]
    except (KeyError, TypeError) as error:
        raise _no_frame(path, number, first_line(error)) from error
    return {"frame": 0, "time": None, "faces": faces}


def _json_records(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Any, str]]:
    """Number, content and text of each line; the content of an incomplete last line is `_CUT`."""
    for number, text in lines:
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            if number == 1 or text.endswith("\n"):
                raise _no_frame(path, number, "no JSON") from error
            record = _CUT
        except (ValueError, RecursionError) as error:
            raise _no_frame(path, number, first_line(error)) from error
        yield number, record, text


def _csv_frames(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str | None, Mapping[str, Any]]]:
    try:
        yield from rows_as_frames(csv_rows(path, lines))
    except (ValueError, csv.Error) as error:
        raise _no_frame(path, *_line_and_message(error, 1)) from error


def _parquet_frames(path: Path, lines: object) -> Iterator[tuple[int, str | None, Mapping[str, Any]]]:
    try:
        yield from rows_as_frames(parquet_rows(path))
    except ValueError as error:
        raise _no_frame(path, *_line_and_message(error, 1)) from error


def _line_and_message(error: Exception, number: int) -> tuple[int, str]:
    """Line number and message of an error."""
    return (error.args[1], str(error.args[0])) if len(error.args) > 1 else (number, first_line(error))


def _no_frame(path: Path, number: int, why: str) -> SourceError:
    return SourceError(f"{path}, line {number}: not a frame of an emodetect log ({why})")


def _no_text(path: Path, why: str) -> SourceError:
    return SourceError(f"{path}: not a log{suggest_other_command(path, 'report') or f' ({why})'}")


def _too_large(path: Path) -> SourceError:
    return SourceError(f"{path}: is larger than {MAX_LOG_BYTES / 2**30:g} GiB, the most that a log may have; split it by lines")


def _result(record: Mapping[str, Any]) -> FrameResult:
    readings = tuple(_reading(face) for face in record["faces"])
    time = record["time"]
    if not isinstance(time, int | float) or isinstance(time, bool):
        raise ValueError(f"expected a time in seconds, got {str(time)[:40]}")
    return FrameResult(_parse_integer(record["frame"]), float(time), readings)


def _reading(face: Mapping[str, Any]) -> FaceReading:
    box = Box(*(_parse_integer(face["box"][side]) for side in ("x", "y", "width", "height")))
    if box.width < 0 or box.height < 0:
        raise ValueError("expected a box of at least 0 pixels")
    emotion = face.get("emotion")
    if emotion is not None and emotion not in _NAMES:
        raise ValueError(f"unknown emotion {str(emotion)[:40]!r}{suggest_label(str(emotion))}")
    scores = None
    if face["scores"] is not None:
        scores = EmotionScores(np.asarray([face["scores"][emotion.value] for emotion in EMOTIONS], np.float32))
    angle = face.get("angle")  # missing in logs of older versions
    if angle is not None and not (isinstance(angle, int | float) and not isinstance(angle, bool) and abs(angle) <= 180):
        raise ValueError(f"expected an angle from -180 to 180 degrees, got {str(angle)[:40]}")
    return FaceReading(box, _parse_integer(face["id"]), scores, bool(face["uncertain"]), angle=angle)


def _parse_integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**53:
        raise ValueError(f"expected a whole number, got {str(value)[:40]}")
    return value
