"""A recording that can be switched on and off; each section is a separate file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from typing_extensions import override

from emodetect.drawing.style import Style
from emodetect.errors import OutputError
from emodetect.queues.interruption import Task, past_one_interruption
from emodetect.sinks.anonymized import AnonymizedSink
from emodetect.sinks.background import BackgroundSink
from emodetect.sinks.base import Sink
from emodetect.sinks.video_file import LiveRecording
from emodetect.system.output_files import remove_if_empty, reserve_name
from emodetect.types import Frame, FrameResult

_CAPACITY = 30
"""Capacity of the encoder's queue, frames; further ones are dropped."""


@dataclass(frozen=True)
class _Section:
    """A section of a recording: its file, its writer, and whether the user chose the name."""

    path: Path
    sink: BackgroundSink
    is_named_by_user: bool


class Recorder(Sink):
    """Records frames while it is on; off at first.

    Args:
        name: returns the name for a new section; a number is added if the file exists.
        frames_per_second: constant frame rate of the files.
        style: language and lettering; None for English.
        anonymize: anonymization method, as for `emodetect.drawing.anonymize`; None for no anonymization.

    Attributes:
        path: the file being written; None while off.
        files: files of all sections that have not failed.
        on_error: called, in any thread, with the file and the error of a failed section, unless the user chose the name. None,
            or a name chosen by the user, raises the error.
    """

    def __init__(
        self, name: Callable[[], Path], frames_per_second: float, *, style: Style | None = None, anonymize: str | None = None
    ) -> None:
        self._name, self._rate, self._style, self._anonymize = name, frames_per_second, style, anonymize
        self.path: Path | None = None
        self.files: list[Path] = []
        self.on_error: Callable[[Path, OutputError], None] | None = None
        self._section: _Section | None = None
        self._finishing: list[Task] = []
        self._errors: list[BaseException] = []

    def start(self, path: Path | None = None, *, overwrite: bool = False) -> Path:
        """Start a section; returns its file.

        Args:
            path: its file; None for an unused name, which is reserved at once.
            overwrite: whether an existing file may be replaced.
        """
        name = self.path = path or reserve_name(self._name())
        encoded: Sink = LiveRecording(name, self._rate, overwrite=overwrite or path is None, style=self._style)
        if self._anonymize is not None:
            encoded = AnonymizedSink([encoded], self._anonymize)
        self._section = _Section(name, BackgroundSink(encoded, capacity=_CAPACITY, drop=True), is_named_by_user=path is not None)
        self.files.append(name)
        return name

    def stop(self) -> None:
        """End the section; the file is finished in the background."""
        if self._section is not None:
            self._finishing.append(Task(partial(self._finish, self._section), name="finish"))
        self._section = self.path = None

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        if self._section is not None:
            try:
                self._section.sink.write(frame, result)
            except OutputError as error:
                if not self._drop_failed(self._section, error):
                    raise
                self.stop()

    @override
    def close(self) -> None:
        self.stop()
        past_one_interruption(self._wait)
        if self._errors:
            raise self._errors.pop()

    def _wait(self) -> None:
        for task in self._finishing:
            task.wait()

    def _finish(self, section: _Section) -> None:
        try:
            section.sink.close()
        except OutputError as error:
            if not self._drop_failed(section, error):
                self._errors.append(error)
        except BaseException as error:  # raised by `close`
            self._errors.append(error)
        finally:
            if not section.is_named_by_user and remove_if_empty(section.path):
                self.files = [path for path in self.files if path != section.path]

    def _drop_failed(self, section: _Section, error: OutputError) -> bool:
        """Drop a failed section; returns whether `on_error` was called, so that the session can continue."""
        self.files = [path for path in self.files if path != section.path]
        if self.on_error is None or section.is_named_by_user:
            return False
        self.on_error(section.path, error)
        return True
