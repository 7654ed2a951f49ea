"""The log of a run: one row per epoch, as CSV and for TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from emodetect.errors import DatasetError
from emodetect.system.native_output import quiet_native_output
from emodetect.system.output_files import atomic_write


class TrainingLog:
    """Writes the rows of a run; a context manager.

    Args:
        path: the CSV file, replaced atomically after each epoch; rows of an earlier part of the run are kept.
        events: folder for TensorBoard; not created if TensorBoard is not installed.
        done: number of finished epochs; later rows belong to an unfinished epoch.

    Attributes:
        rows: one dictionary per epoch, in order.
    """

    def __init__(self, path: Path, events: Path, done: int) -> None:
        self._path = path
        self.rows = [row for row in read_log(path) if row["epoch"] <= done]
        self._writer = _event_writer(events)

    def add(self, row: dict[str, float]) -> None:
        """Add the row of an epoch."""
        self.rows.append(row)
        names = list(dict.fromkeys(name for known in self.rows for name in known))
        with atomic_write(self._path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        if self._writer:
            _write_event(self._writer, row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer:
            self._writer.close()


def read_log(path: Path) -> list[dict[str, float]]:
    """Read the rows of a run's ``log.csv``; empty if it does not exist yet.

    Raises:
        DatasetError: the file is not the log of a run.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
        return [row | {"epoch": int(row["epoch"])} for row in rows]
    except (OSError, ValueError, TypeError, KeyError, OverflowError, csv.Error) as error:
        raise DatasetError(f"{path}: not the log of a training run ({error})") from error


def _event_writer(folder: Path) -> Any:
    with quiet_native_output():  # TensorBoard imports TensorFlow if it is installed
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            return None
        return EventFileWriter(str(folder))


def _write_event(writer: Any, row: dict[str, float]) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=name, simple_value=value) for name, value in row.items() if name != "epoch"]
    writer.add_event(Event(step=int(row["epoch"]), summary=Summary(value=values)))
    writer.flush()
