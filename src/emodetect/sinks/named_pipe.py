"""A named pipe that survives its readers."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.sinks.line_file import LineFile
from emodetect.text.printable import counted

_log = logging.getLogger(__name__)


class NamedPipe(LineFile):
    """Like `LineFile`, but continues with the next reader after one has closed the pipe.

    Args:
        path: path of the pipe.
        descriptor: file descriptor, closed by this object.
        header: text that each further reader receives first.
        waits: whether to block until there is a reader. If not, texts without a reader are dropped.
    """

    def __init__(self, path: Path, descriptor: int, *, header: str = "", waits: bool = True) -> None:
        super().__init__(path, descriptor)
        self._header, self._waits = header, waits
        self._has_reader, self._left_out = True, 0

    @override
    def append(self, text: str) -> None:
        if not self._has_reader and not self._find_reader():
            self._left_out += 1
            return
        try:
            super().append(text)
        except BrokenPipeError:
            _log.warning("%s: its reader has gone away; writing goes on with the next one", self._path)
            self._has_reader, self._left_out = False, 0
            self.append(text)

    def _find_reader(self) -> bool:
        """Open the pipe again, blocking if `waits`; returns whether it has a reader."""
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
            frames = f"{counted(self._left_out, 'frame')} {'was' if self._left_out == 1 else 'were'}"
            _log.warning("%s: has a reader again; %s not written", self._path, frames)
        if self._header:
            self.append(self._header)
        return self._has_reader
