"""What a process of `isolated.IsolatedBackend` does: make a backend, load it, answer.

Questions come through standard input as pickles, from the process that we belong to and trust. Answers go back as JSON and plain
numbers: that process must not trust us, since a foreign model may have taken us over.
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

if TYPE_CHECKING:  # NumPy starts threads, which the sandbox would not hold
    from emodetect.backends.base import EmotionBackend

HEADER = struct.Struct("<I")
"""Before each answer: how many bytes of JSON follow."""

OUT_OF_MEMORY = "OutOfMemory"
"""The kind of error that says that the model asks for more memory than it may have."""

_COPY_SECONDS = 0.1
"""After a plug-in has forked, time for a copy that comes back to us to say so before the answer is sent."""

_MEMORY_WORDS = re.compile(
    r"bad.?alloc|\bOOM\b|out of memory|(failed|unable) to allocate|smaller than requested|bfc_ar", re.IGNORECASE
)
"""How NumPy, TensorFlow and ONNX Runtime say that there is not enough memory."""


@dataclass(frozen=True)
class Bounds:
    """What a foreign model may take.

    Attributes:
        memory: bytes that the process may hold.
        load_seconds: time to load it, with the libraries that it needs.
        call_seconds: time to read a batch of faces.
    """

    memory: int
    load_seconds: float
    call_seconds: float


@dataclass(frozen=True)
class Job:
    """What a process is for.

    Attributes:
        title: what to call the backend in messages.
        factory: what makes it, "module:function".
        arguments: what that is called with.
        path: folders to import from; for a foreign model after the interpreter's own.
        bounds: for a foreign model, which is then in the sandbox; None for code that is trusted.
        copy: the copy of a model file that is loaded in its place, and how messages call it.
    """

    title: str
    factory: str
    arguments: tuple[Any, ...]
    path: tuple[str, ...]
    bounds: Bounds | None = None
    copy: tuple[str, str] | None = None


def main() -> NoReturn:
    """Do the job that comes through standard input, until that is closed.

    Arguments of the command line are: a folder to import from; the number of a pipe that ends when the process that we belong to
    does, where there is such a thing; and a copy of a model file, which may not be written yet, to be removed then.
    """
    lifeline, copy = (*sys.argv[2:], "", "")[:2]
    questions, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what plug-ins and libraries print is no result
    os.close(nothing)
    try:
        job = pickle.load(questions)
    except (EOFError, pickle.UnpicklingError):  # the other process is gone
        _remove(copy)
    else:
        if job.bounds is None:
            sys.path[:] = job.path
        else:
            sys.path.extend(folder for folder in job.path if folder not in sys.path)
        _Server(job, questions, answers, int(lifeline) if lifeline else None, copy).run()
    # TensorFlow takes a second to be torn down in order, and there is nothing to keep.
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
                tempfile.tempdir = folder  # which Python would look for by writing, also in the sandbox
            prepare_own_process()  # also where the other one is a program of the user's
            if bounds is not None:
                if folder is not None:
                    # Matplotlib wants a folder that is there, and Keras reads what another process left in its own.
                    os.environ["MPLCONFIGDIR"] = os.environ["KERAS_HOME"] = folder
                given = enter_sandbox(bounds.memory, folder)
                if is_debugging():
                    print(one_line(f"emodetect: sandbox of {job.title}: {given}"), file=sys.stderr)
                processor_seconds(bounds.load_seconds)
                limit_memory_here(bounds.memory)
            if self._lifeline is not None:
                # Not before: a thread that is older than the sandbox stays outside, where the model could make use of it.
                _end_with_parent(self._lifeline, self._copy)
            with contextlib.closing(self._backend()) as backend:
                backend.load()
                self._send(_about(backend))
                if self._lifeline is not None:
                    _end_inside_native_calls(self._lifeline)
                for method, crops in self._asked():
                    if bounds is not None:
                        processor_seconds(bounds.call_seconds)
                    if method == "restate":
                        self._restate(backend, crops)
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

    def _asked(self) -> Iterator[tuple[str, Any]]:
        """Questions, until nobody asks any more: a method's name, and crops, or for "restate" conventions."""
        import numpy as np

        while True:
            try:
                method, shapes = pickle.load(self._questions)
            except (EOFError, OSError):
                return
            if method == "restate":
                yield method, shapes
                continue
            crops = [np.empty(shape, np.uint8) for shape in shapes]
            for crop in crops:
                self._questions.readinto(crop)  # type: ignore[attr-defined]
            yield method, crops

    def _restate(self, backend: EmotionBackend, conventions: Any) -> None:
        try:
            backend.restate(conventions)
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
        except Exception as error:  # may be this frame's alone
            self._fail(error, "failed")
        else:
            self._send({"columns": scores.shape[1]}, scores.tobytes())

    def _fail(self, error: BaseException, what: str) -> None:
        if is_debugging():
            traceback.print_exception(error)
        kind, message = self._describe(error, what)
        if self._job.copy is not None:
            message = message.replace(*self._job.copy)
        told = {name: getattr(error, name) for name in ("parameter", "hint")} if isinstance(error, EmodetectError) else {}
        with contextlib.suppress(OSError):
            self._send({"kind": kind, "message": message[:4000], **told})

    def _describe(self, error: BaseException, what: str) -> tuple[str, str]:
        """The name of one of our errors' classes, and the text: a plug-in's own class may not exist in the other process."""
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
        if is_copy:  # forked by a plug-in, and come back to us as if it were the process itself
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
    """What JSON does not know: the number in one of NumPy's, of which a plug-in may make its threshold; the words of all else."""
    return value.item() if hasattr(value, "item") else str(value)


def _about(backend: EmotionBackend) -> dict[str, Any]:
    """What the process that asks has to know of a backend that is loaded."""
    return {
        "name": backend.name,
        "uncertain_below": backend.uncertain_below,
        "validation_accuracy": backend.validation_accuracy,
        "tells_contempt": backend.tells_contempt,
        "description": backend.description and backend.description.as_dict(),
    }


def _end_with_parent(lifeline: int, copy: str) -> None:
    """End this process, and remove the copy of a model, when the one that it belongs to is gone, however that came about."""

    def leave() -> None:
        os.read(lifeline, 1)
        _remove(copy)
        os._exit(1)

    threading.Thread(target=leave, name="parent", daemon=True).start()


def _remove(copy: str) -> None:
    """Remove the copy of a model, if there is one, and its folder, which only works outside the sandbox."""
    if copy:
        with contextlib.suppress(OSError):
            os.unlink(copy)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(copy))


def _end_inside_native_calls(lifeline: int) -> None:
    """Let the system's own signal end this process where a native call keeps the thread of `_end_with_parent` from running.

    Not before a copy is loaded, since the signal leaves that behind.
    """
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
