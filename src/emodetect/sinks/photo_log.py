"""A log of photos that a later run can resume."""

from __future__ import annotations

import csv
import json
import logging
import os
from pathlib import Path
from typing import Any

from emodetect.errors import OutputError
from emodetect.sinks.line_file import LineFile
from emodetect.sinks.records import PHOTO_CSV_COLUMNS, as_csv, is_csv, photo_csv_rows
from emodetect.system.output_files import open_output, open_to_append
from emodetect.text.printable import csv_cell

_log = logging.getLogger(__name__)


class PhotoLog:
    """Writes one line of JSON per photo or, if the name ends in .csv, its rows, in one write per photo.

    Args:
        path: file to write.
        overwrite: whether an existing file may be replaced.
        resume: whether to continue an existing file. A last photo that a crash has left incomplete is removed.

    Raises:
        OutputError: the file exists and neither option is set, is no log of photos, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, resume: bool = False) -> None:
        self._path, self._is_csv = path, is_csv(path)
        self._read: set[str] = set()
        self._failed: set[str] = set()
        descriptor = open_to_append(path) if resume else open_output(path, overwrite=overwrite)
        self._file = LineFile(path, descriptor)
        try:
            whole = self._resume(descriptor) if resume else 0
            if self._is_csv and not whole:
                self._file.append(as_csv([PHOTO_CSV_COLUMNS]))
        except BaseException:
            self.close()
            raise

    def holds(self, photo: str) -> bool:
        """Whether the log contains a photo, however its path is written; failed photos do not count."""
        return self._key(photo) in self._read

    def add(self, record: dict[str, Any]) -> None:
        """Append a photo's result, as in the output format, unless the log already contains the same."""
        key = self._key(record["path"])
        if key in self._read or ("error" in record and key in self._failed):
            return
        self._file.append(as_csv(photo_csv_rows(record)) if self._is_csv else json.dumps(record) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _key(self, photo: str) -> str:
        """Normalized path of a photo."""
        return os.path.abspath(str(csv_cell(photo)) if self._is_csv else photo)

    def _resume(self, descriptor: int) -> int:
        """Load the records of the file, and remove an incomplete last one; returns the remaining size in bytes."""
        with os.fdopen(os.dup(descriptor), "rb") as file:
            content = file.read()
        whole = content.rfind(b"\n") + 1
        try:
            lines = content[:whole].decode("utf-8-sig").splitlines(keepends=True)
            whole -= self._take_rows(lines, is_cut=whole < len(content)) if self._is_csv else self._take_records(lines)
        except (ValueError, TypeError, KeyError, RecursionError, csv.Error) as error:
            raise OutputError(
                f"{self._path}: cannot be continued, since it is not a log of photos; choose another name"
            ) from error
        if whole < len(content):
            _log.warning("%s: what is cut off at its end is removed, and its last photo read again", self._path)
            os.ftruncate(descriptor, whole)
        os.lseek(descriptor, whole, os.SEEK_SET)
        return whole

    def _take_records(self, lines: list[str]) -> int:
        for line in lines:
            record = json.loads(line)
            is_read = record["faces"] is not None if "faces" in record else record["error"] is None
            (self._read if is_read else self._failed).add(self._key(record["path"]))
        return 0

    def _take_rows(self, lines: list[str], *, is_cut: bool) -> int:
        """Load rows; returns the size of the last photo's rows in bytes if some of its faces may be missing."""
        if not lines:
            return 0
        header, *rows = csv.reader(lines)
        if tuple(header[: len(PHOTO_CSV_COLUMNS)]) != PHOTO_CSV_COLUMNS or any(len(row) != len(header) for row in rows):
            raise ValueError("not the columns of photos")
        paths = [row[0] for row in rows]
        removed = 0
        while is_cut and paths and paths[-1] == rows[-1][0]:
            paths.pop()
            removed += len(lines.pop().encode())
        self._read = {os.path.abspath(path) for path in paths}
        return removed
