"""A file that is written in whole lines."""

from __future__ import annotations

import os
from pathlib import Path

from emodetect.errors import OutputError
from emodetect.system.output_files import append_all, check_still_there


class LineFile:
    """An open file to which each text is appended in one write, so that an interrupted run leaves whole lines.

    Args:
        path: name of the file, for errors.
        descriptor: file descriptor, closed by this object.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._file: int | None = descriptor

    def append(self, text: str) -> None:
        """Append text.

        Raises:
            OutputError: the text cannot be written, or the file was deleted or moved.
            BrokenPipeError: the file is a pipe whose reader has closed it.
        """
        assert self._file is not None
        try:
            append_all(self._file, text.encode())
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error
        check_still_there(self._path, self._file)

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Raises:
            OutputError: the last text could not be written.
        """
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.close(file)
            except OSError as error:
                raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error
