"""The exception hierarchy.

    EmodetectError
    ├── UsageError                   options that contradict each other or are unknown
    ├── SourceError                  a camera, file or stream cannot be read
    ├── ModelError                   a model file is missing, unreadable, unsafe or has the wrong shape
    ├── BackendUnavailableError      a backend needs a package or weights file that is missing
    ├── BackendError                 a backend fails in too many consecutive frames
    ├── DatasetError                 a data set is incomplete or invalid
    └── OutputError                  an output file exists already or cannot be written

A message is one line: what happened, to which file, and what to do. Parameters stand in it in backquotes, as in
"`overwrite` replaces it"; the command line replaces them with its options.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


class EmodetectError(Exception):
    """Base class of all errors that emodetect raises; ``exit_code`` is the exit code of the process.

    >>> emodetect.analyze("missing.jpg")
    Traceback (most recent call last):
    emodetect.errors.SourceError: missing.jpg: no such file

    Args:
        message: what happened, to which file.
        parameter: the parameter with the wrong value, such as "model"; None if no parameter is wrong.
        hint: what to do, if the message does not say it.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, parameter: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.parameter, self.hint = parameter, hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}{' ' if message.endswith('?') else '; '}{self.hint}" if self.hint else message


class UsageError(EmodetectError):
    """Options contradict each other or name something that does not exist."""

    exit_code = 2


class SourceError(EmodetectError):
    """A camera, file or stream cannot be opened or read."""


class ModelError(EmodetectError):
    """A model or cascade file is missing, unreadable, of the wrong shape, or unsafe to load."""


class BackendUnavailableError(EmodetectError):
    """A backend needs a package or a weights file that is missing."""


class BackendError(EmodetectError):
    """A backend fails in too many consecutive frames."""


class DatasetError(EmodetectError):
    """A data set is incomplete, or contains something other than labeled faces."""


class OutputError(EmodetectError):
    """An output file exists already or cannot be written."""


@contextmanager
def about(parameter: str, kind: type[EmodetectError] = EmodetectError) -> Iterator[None]:
    """Set ``parameter`` on errors of this kind that are raised in the ``with`` block, unless it is set already."""
    try:
        yield
    except kind as error:
        error.parameter = error.parameter or parameter
        raise


def first_line(error: BaseException) -> str:
    """Shorten a foreign exception to one line: its first line, at most 160 characters, or the name of its type.

    TensorFlow's messages begin with a traceback; the line after it is taken.
    """
    try:
        text = str(error).strip()
    except Exception:  # raised by a foreign __str__
        text = ""
    lines = (text or type(error).__name__).splitlines()
    return next((line for line in lines if not line.startswith(("Traceback ", " "))), lines[0])[:160]


def broken_package(error: BaseException) -> str | None:
    """Name the package whose import failed or that lacks an attribute; None for other errors."""
    if isinstance(error, ImportError) and error.name:
        return error.name.partition(".")[0]
    names = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>":  # raised while the module was imported
            names.append(trace.tb_frame.f_globals["__name__"])
        trace = trace.tb_next
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        names.append(error.obj.__name__)
    packages = (name.partition(".")[0] for name in reversed(names))
    package = next((package for package in packages if package not in ("__main__", "emodetect")), None)
    return broken_package(error.__cause__) if package is None and error.__cause__ else package
