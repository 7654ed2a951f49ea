"""Program of the worker process of `isolated.IsolatedBackend`: create a backend, load it, serve requests.

Requests arrive on standard input as pickles from the parent, which is trusted. Responses are JSON and plain numbers, since the
parent must not trust this process: a foreign model may have taken it over.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from emodetect import errors
from emodetect.backends.limits import limit_memory_here
from emodetect.backends.sandbox import enter_sandbox, processor_seconds
from emodetect.errors import BackendError, BackendUnavailableError, EmodetectError, ModelError, first_line
from emodetect.system.environment import prepare_own_process, remove_caches
from emodetect.system.native_output import is_debugging
from emodetect.text.printable import one_line

if TYPE_CHECKING:  # NumPy starts threads, which the sandbox would not cover
    from emodetect.backends.base import EmotionBackend

HEADER = struct.Struct("<I")
"""Header of each response: number of bytes of JSON that follow."""

OUT_OF_MEMORY = "OutOfMemory"
"""Error kind for an exceeded memory limit."""

_COPY_SECONDS = 0.1
"""Seconds to wait, after a plug-in has forked, for a message of the child process before the response is sent."""

_MEMORY_WORDS = re.compile(
    r"bad.?alloc|\bOOM\b|out of memory|(failed|unable) to allocate|smaller than requested|bfc_ar", re.IGNORECASE
)
"""Out-of-memory messages of NumPy, TensorFlow and ONNX Runtime."""


@dataclass(frozen=True)
class Bounds:
    """Resource limits of a foreign model.

    Attributes:
        memory: memory limit of the process, bytes.
        load_seconds: time-out for loading, including libraries.
        call_seconds: time-out for a batch of faces.
    """

    memory: int
    load_seconds: float
    call_seconds: float


@dataclass(frozen=True)
class Job:
    """Job of a worker process.

    Attributes:
        title: display name of the backend in messages.
        factory: import path of the backend's factory, "module:function".
        arguments: arguments of the factory.
        path: folders to import from; for a foreign model after the interpreter's own.
        bounds: resource limits of a foreign model, which runs in the sandbox; None for trusted code.
        copy: path of the copy of the model file that is loaded, and its name in messages.
    """

    title: str
    factory: str
    arguments: tuple[Any, ...]
    path: tuple[str, ...]
    bounds: Bounds | None = None
    copy: tuple[str, str] | None = None


def main() -> NoReturn:
    """Run the job from standard input until that is closed.

    Command-line arguments: a folder to import from; the number of a pipe that is closed when the parent exits, if supported; and
    the copy of a model file, which may not exist yet and is removed then.
    """
    lifeline, copy = (*sys.argv[2:], "", "")[:2]
    questions, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # output of plug-ins and libraries goes to standard error
    os.close(nothing)
    try:
        job = pickle.load(questions)
    except (EOFError, pickle.UnpicklingError):  # the parent has exited
        _remove(copy)
    else:
        if job.bounds is None:
            sys.path[:] = job.path
        else:
            sys.path.extend(folder for folder in job.path if folder not in sys.path)
        _Server(job, questions, answers, int(lifeline) if lifeline else None, copy).run()
    # TensorFlow takes a second to shut down in order, and there is nothing to save.
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
        remove_caches()
    os._exit(0)


class _Server:
    def __init__(self, job: Job, questions: BinaryIO, answers: int, lifeline: int | None, copy: str) -> None:
        self._job, self._questions, self._answers, self._lifeline, self._copy = job, questions, answers, lifeline, copy
        self._process = os.getpid()
        self._forked = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._remember_fork)

    def _remember_fork(self) -> None:
        self._forked = True

    def run(self) -> None:
        job, bounds = self._job, self._job.bounds
        try:
            folder = os.path.dirname(job.copy[0]) if job.copy else None
            if folder is not None:
                tempfile.tempdir = folder  # Python would search for it by writing, also in the sandbox
            prepare_own_process()  # also if the parent is a user's program
            if bounds is not None:
                if folder is not None:
                    # Matplotlib needs an existing folder, and Keras must not read a shared one.
                    os.environ["MPLCONFIGDIR"] = os.environ["KERAS_HOME"] = folder
                given = enter_sandbox(bounds.memory, folder)
                if is_debugging():
                    print(one_line(f"emodetect: sandbox of {job.title}: {given}"), file=sys.stderr)
                processor_seconds(bounds.load_seconds)
                limit_memory_here(bounds.memory)
            if self._lifeline is not None:
                # After entering the sandbox, which would not cover an older thread that the model could exploit.
                _end_with_parent(self._lifeline, self._copy)
            with contextlib.closing(self._backend()) as backend:
                backend.load()
                self._send(_about(backend))
                if self._lifeline is not None:
                    _end_inside_native_calls(self._lifeline)
                for method, crops in self._read_requests():
                    if bounds is not None:
                        processor_seconds(bounds.call_seconds)
                    if method == "set_conventions":
                        self._set_conventions(backend, crops)
                    else:
                        self._answer(backend, method, crops)
        except BaseException as error:
            self._fail(error, "cannot be loaded")

    def _backend(self) -> EmotionBackend:
        job = self._job
        try:
            factory = EntryPoint(job.title, job.factory, "").load()
        except (ImportError, AttributeError) as error:
            raise BackendUnavailableError(f"the backend {job.title} cannot be imported: {error}") from error
        backend: EmotionBackend = factory(*job.arguments)
        if not all(callable(getattr(backend, method, None)) for method in ("load", "classify", "close")):
            raise BackendError(f"the backend {job.title} made a {type(backend).__name__}, which is no EmotionBackend")
        return backend

    def _read_requests(self) -> Iterator[tuple[str, Any]]:
        """Requests until standard input is closed: a method's name and crops, or conventions for "set_conventions"."""
        import numpy as np

        while True:
            try:
                method, shapes = pickle.load(self._questions)
            except (EOFError, OSError):
                return
            if method == "set_conventions":
                yield method, shapes
                continue
            crops = [np.empty(shape, np.uint8) for shape in shapes]
            for crop in crops:
                self._questions.readinto(crop)  # type: ignore[attr-defined]
            yield method, crops

    def _set_conventions(self, backend: EmotionBackend, conventions: Any) -> None:
        try:
            backend.set_conventions(conventions)
        except Exception as error:
            self._fail(error, "failed")
        else:
            self._send(_about(backend))

    def _answer(self, backend: EmotionBackend, method: str, crops: Sequence[Any]) -> None:
        import numpy as np

        try:
            scores = np.ascontiguousarray(getattr(backend, method)(crops), np.float32)
            if scores.ndim != 2 or len(scores) != len(crops):
                raise ValueError(f"expected scores of shape {(len(crops), '...')}, got {scores.shape}")
        except Exception as error:  # may concern this frame only
            self._fail(error, "failed")
        else:
            self._send({"columns": scores.shape[1]}, scores.tobytes())

    def _fail(self, error: BaseException, what: str) -> None:
        if is_debugging():
            traceback.print_exception(error)
        kind, message = self._describe(error, what)
        if self._job.copy is not None:
            message = message.replace(*self._job.copy)
        details = {name: getattr(error, name) for name in ("parameter", "hint")} if isinstance(error, EmodetectError) else {}
        with contextlib.suppress(OSError):
            self._send({"kind": kind, "message": message[:4000], **details})

    def _describe(self, error: BaseException, what: str) -> tuple[str, str]:
        """Class name and text of an error for the parent, which may not know the classes of a plug-in."""
        job = self._job
        subject = job.title if job.bounds else f"the backend {job.title}"
        if isinstance(error, MemoryError) or (job.bounds and _MEMORY_WORDS.search(str(error))):
            return (OUT_OF_MEMORY if job.bounds else BackendError.__name__), f"{subject} {what}: there is not enough memory"
        if isinstance(error, EmodetectError):
            kind = next(base for base in type(error).__mro__ if base.__module__ == errors.__name__)
            return kind.__name__, str(error.args[0])
        if isinstance(error, SystemExit):
            return BackendError.__name__, f"{subject} ended its process by sys.exit({error.code!r})"
        if not isinstance(error, Exception):
            return BackendError.__name__, f"{subject} raised {type(error).__name__}, which is no error but ends a program"
        return ModelError.__name__, f"{subject} {what} ({type(error).__name__}: {first_line(error)})"

    def _send(self, about: dict[str, Any], numbers: bytes = b"") -> None:
        is_copy = os.getpid() != self._process
        if is_copy:  # a child forked by a plug-in that continues as if it were the worker
            message = f"the backend {self._job.title} forked, and both processes went on; the copy was ended"
            about, numbers = {"kind": BackendError.__name__, "message": message}, b""
        elif self._forked:
            self._forked = False
            time.sleep(_COPY_SECONDS)
        text = json.dumps(about, default=_plain).encode()
        left = memoryview(HEADER.pack(len(text)) + text + numbers)
        while left:
            left = left[os.write(self._answers, left) :]
        if is_copy:
            os._exit(1)


def _plain(value: Any) -> Any:
    """Convert a value that JSON does not support: NumPy numbers to Python's, all else to text."""
    return value.item() if hasattr(value, "item") else str(value)


def _about(backend: EmotionBackend) -> dict[str, Any]:
    """Attributes of a loaded backend for the parent."""
    return {
        "name": backend.name,
        "uncertain_below": backend.uncertain_below,
        "validation_accuracy": backend.validation_accuracy,
        "tells_contempt": backend.tells_contempt,
        "description": backend.description and backend.description.as_dict(),
    }


def _end_with_parent(lifeline: int, copy: str) -> None:
    """Exit, and remove the copy of the model, when the parent has exited for any reason."""

    def exit_with_parent() -> None:
        os.read(lifeline, 1)
        _remove(copy)
        os._exit(1)

    threading.Thread(target=exit_with_parent, name="parent", daemon=True).start()


def _remove(copy: str) -> None:
    """Remove the copy of the model; its folder can be removed only outside the sandbox."""
    if copy:
        with contextlib.suppress(OSError):
            os.unlink(copy)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(copy))


def _end_inside_native_calls(lifeline: int) -> None:
    """Let a signal end this process if a native call blocks the thread of `_end_with_parent`.

    Enabled only once the copy is loaded, since the signal would leave it behind.
    """
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
