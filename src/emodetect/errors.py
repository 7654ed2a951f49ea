"""Everything that can go wrong, as one tree.

    EmodetectError
    ├── UsageError                   options that contradict each other, or name nothing
    ├── SourceError                  a camera, file or stream that cannot be read
    ├── ModelError                   a model file that is missing, unreadable, of the wrong shape or unsafe
    ├── BackendUnavailableError      a package or weights file that a backend needs and does not have
    ├── BackendError                 a backend that fails in frame after frame
    ├── DatasetError                 a data set that cannot be trained on or evaluated with
    └── OutputError                  an output that exists already or cannot be written

A message is one line that says what happened, to which file, and what to do about it. Parameters stand in it in backquotes, as in
"`overwrite` replaces it"; the command line shows its options in their place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


class EmodetectError(Exception):
    """Base of all errors that emodetect raises on purpose; ``exit_code`` is what the process ends with.

    >>> emodetect.analyze("missing.jpg")
    Traceback (most recent call last):
    emodetect.errors.SourceError: missing.jpg: no such file

    Args:
        message: what happened, to which file.
        parameter: the parameter whose value is wrong, such as "model"; None where it is none of them.
        hint: what to do, where the message does not say it.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, parameter: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.parameter, self.hint = parameter, hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}{' ' if message.endswith('?') else '; '}{self.hint}" if self.hint else message


class UsageError(EmodetectError):
    """Options that contradict each other or name something that does not exist."""

    exit_code = 2


class SourceError(EmodetectError):
    """A camera, file or stream cannot be opened or read."""


class ModelError(EmodetectError):
    """A model or cascade file is missing, unreadable, of the wrong shape, or unsafe to load."""


class BackendUnavailableError(EmodetectError):
    """A backend needs a package or a weights file that is not there."""


class BackendError(EmodetectError):
    """A backend raises, or gives no scores, in frame after frame."""


class DatasetError(EmodetectError):
    """A data set is incomplete or holds something that is not a labeled face."""


class OutputError(EmodetectError):
    """An output file exists already, or cannot be written."""


@contextmanager
def about(parameter: str, kind: type[EmodetectError] = EmodetectError) -> Iterator[None]:
    """Say of errors of this kind that are raised inside that this parameter is wrong, unless they name one themselves."""
    try:
        yield
    except kind as error:
        error.parameter = error.parameter or parameter
        raise


def first_line(error: BaseException) -> str:
    """What another library's error says, as part of one line: its first line, at most 160 characters, or its type.

    TensorFlow puts a traceback into its own; of that it is the end. An error that cannot say anything is named by its type.
    """
    try:
        text = str(error).strip()
    except Exception:  # foreign code
        text = ""
    lines = (text or type(error).__name__).splitlines()
    return next((line for line in lines if not line.startswith(("Traceback ", " "))), lines[0])[:160]


def broken_package(error: BaseException) -> str | None:
    """The package that an error shows to be missing or broken: it cannot be imported, or lacks a part; None for other errors."""
    if isinstance(error, ImportError) and error.name:
        return error.name.partition(".")[0]
    names = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>":  # it was being imported
            names.append(trace.tb_frame.f_globals["__name__"])
        trace = trace.tb_next
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        names.append(error.obj.__name__)
    packages = (name.partition(".")[0] for name in reversed(names))
    package = next((package for package in packages if package not in ("__main__", "emodetect")), None)
    return broken_package(error.__cause__) if package is None and error.__cause__ else package
