"""Reading a log that `emodetect video` or `emodetect live` has written."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emodetect.errors import SourceError, first_line
from emodetect.text.numbers import MOST_NUMBER
from emodetect.text.printable import counted
from emodetect.text.suggestions import did_you_mean_file, meant_for_another
from emodetect.types import EMOTIONS, Box, EmotionScores, FaceReading, FrameResult

MAX_LOG_BYTES = 2**32
"""Of a log; a live session of two people has half as much in a day, and what is kept of it takes a quarter of its bytes."""

_MAX_LINE_BYTES = 2**22
"""Of a frame's line; a face takes some 370 bytes."""

_MOST_PEOPLE = 100_000
"""Of a log, faces with a number of their own: each takes memory for as long as the log is read."""

_log = logging.getLogger(__name__)


def read_log(path: Path, advance: Callable[[int], object] | None = None) -> Iterator[FrameResult]:
    """The results in a log of JSON lines, in order, one in memory at a time.

    Where the last line is cut off, as a crash leaves it, the logger ``emodetect`` warns, and what comes before is read.

    Args:
        path: the file.
        advance: is told how many bytes each line has, for a progress bar.

    Raises:
        SourceError: the file cannot be read, is too large, holds no frame, or a line is not what emodetect writes.
    """
    if path.suffix.lower() == ".csv":
        raise SourceError(f"{path}: frames without faces are missing in a CSV log; make a log that ends in .jsonl")
    before = -math.inf
    people: set[int] = set()
    number = total = 0
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_LOG_BYTES:
                raise _too_large(path)
            while line := file.readline(_MAX_LINE_BYTES + 1):
                number, total = number + 1, total + len(line)
                if len(line) > _MAX_LINE_BYTES:
                    length = f"longer than {_MAX_LINE_BYTES:,} bytes"
                    raise SourceError(f"{path}, line {number}: not a frame of an emodetect log ({length})")
                if total > MAX_LOG_BYTES:  # of a pipe
                    raise _too_large(path)
                if advance is not None:
                    advance(len(line))
                text = line.decode()
                try:
                    result = _result(json.loads(text))
                    if not abs(result.timestamp) <= MOST_NUMBER:
                        raise ValueError(f"its time is no number of seconds up to {MOST_NUMBER:,.0f}")
                    if not before < result.timestamp:
                        raise ValueError("its time is not after that of the line before")
                except json.JSONDecodeError as error:
                    if number > 1 and not text.endswith("\n"):
                        whole = counted(number - 1, "frame")
                        _log.warning("%s: the last line is cut off; what is whole was read, %s", path, whole)
                        return
                    raise SourceError(f"{path}, line {number}: not a frame of an emodetect log (no JSON)") from error
                except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
                    raise SourceError(f"{path}, line {number}: not a frame of an emodetect log ({first_line(error)})") from error
                before = result.timestamp
                people.update(reading.track_id for reading in result.readings)
                if len(people) > _MOST_PEOPLE:
                    raise SourceError(f"{path}, line {number}: more than {_MOST_PEOPLE:,} people, the most that a log may have")
                yield result
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not a log{meant_for_another(path, 'report')}") from None
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except IsADirectoryError:
        raise SourceError(f"{path}: is a folder, not a log") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not number:
        raise SourceError(f"{path}: holds no frame")


def _too_large(path: Path) -> SourceError:
    return SourceError(f"{path}: is larger than {MAX_LOG_BYTES / 2**30:g} GiB, the most that a log may have; split it by lines")


def _result(record: Mapping[str, Any]) -> FrameResult:
    readings = tuple(_reading(face) for face in record["faces"])
    time = record["time"]
    if not isinstance(time, int | float) or isinstance(time, bool):
        raise ValueError(f"expected a time in seconds, got {str(time)[:40]}")
    return FrameResult(_whole(record["frame"]), float(time), readings)


def _reading(face: Mapping[str, Any]) -> FaceReading:
    box = Box(*(_whole(face["box"][side]) for side in ("x", "y", "width", "height")))
    if box.width < 0 or box.height < 0:
        raise ValueError("expected a box of at least 0 pixels")
    scores = None
    if face["scores"] is not None:
        scores = EmotionScores(np.asarray([face["scores"][emotion.value] for emotion in EMOTIONS], np.float32))
    angle = face.get("angle")  # logs of older versions have none
    if angle is not None and not (isinstance(angle, int | float) and not isinstance(angle, bool) and abs(angle) <= 180):
        raise ValueError(f"expected an angle from -180 to 180 degrees, got {str(angle)[:40]}")
    return FaceReading(box, _whole(face["id"]), scores, bool(face["uncertain"]), angle=angle)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**53:
        raise ValueError(f"expected a whole number, got {str(value)[:40]}")
    return value
