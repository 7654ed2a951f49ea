"""A backend in a process of its own, so that what holds the interpreter's lock there holds up nothing here.

Importing TensorFlow does for seconds, and so may any native call: meanwhile no other thread of the process runs, and a window's
picture would stand still.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect import errors
from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import UNSTATED, ModelConventions
from emodetect.backends.onnx_cnn import OnnxBackend
from emodetect.backends.registry import backend_names, create_backend, is_built_in, with_views
from emodetect.environment import prepare_own_process, remove_caches
from emodetect.errors import BackendError, EmodetectError, ModelError, UsageError
from emodetect.quiet import is_debugging
from emodetect.types import Image

_PATIENCE = 1.0
"""Seconds that an idle process has to end by itself."""


def create_separate(
    name: str, model: str | None = None, conventions: ModelConventions = UNSTATED, views: int = 1
) -> EmotionBackend:
    """Make a backend as `create_backend` does, in a process of its own where it may hold the interpreter's lock.

    ONNX Runtime lets go of the lock, so its networks stay in this process. A plug-in is imported in its process alone, so that
    what is wrong with its options is said only once it is loaded.

    Raises:
        UsageError: there is no backend of that name, or it does not take these options.
        ModelError: there is no such model file.
    """
    make = partial(create_backend, name, model, conventions)
    if is_built_in(name):
        backend = make()
        return with_views(backend if isinstance(backend, OnnxBackend) else SeparateBackend(make, title=backend.name), views)
    if name not in backend_names():
        raise UsageError(f"no backend {name!r}; there are {', '.join(backend_names())}")
    return with_views(SeparateBackend(make, title=name), views)


class SeparateBackend(EmotionBackend):
    """Makes, loads and asks a backend in a process that ends with this one in every case.

    Args:
        make: makes the backend, there; must be such as can be pickled.
        title: what to call it until it is loaded.
    """

    def __init__(self, make: Callable[[], EmotionBackend], *, title: str) -> None:
        self.name = title
        self._make = make
        self._process: multiprocessing.process.BaseProcess | None = None
        self._cancelled = False

    @override
    def load(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._make), name=f"emodetect {self.name}", daemon=True)
        with _without_interrupts():
            process.start()
        self._process = process
        theirs.close()
        if self._cancelled:
            process.kill()
        self.name, self.uncertain_below, self.tells_contempt, self.description = self._receive()

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return self._ask("classify", crops)

    @override
    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return self._ask("classify_eight", crops)

    @override
    def cancel(self) -> None:
        self._cancelled = True
        process = self._process
        if process is not None:
            process.kill()

    @override
    def close(self) -> None:
        if self._process is None:
            return
        self._connection.close()
        self._process.join(_PATIENCE)
        self._process.kill()
        self._process.join()
        self._process = None

    def _ask(self, method: str, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        with contextlib.suppress(OSError):  # it has ended; receiving says how
            self._connection.send((method, list(crops)))
        scores: npt.NDArray[np.float32] = self._receive()
        return scores

    def _receive(self) -> Any:
        try:
            answer, error = self._connection.recv()
        except (EOFError, OSError):
            raise BackendError(
                f"the process of the backend {self.name} {self._how_it_ended()}; --debug shows what it said"
            ) from None
        if error is not None:
            kind, message = error
            raise getattr(errors, kind)(message)
        return answer

    def _how_it_ended(self) -> str:
        assert self._process is not None
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"ended by itself (exit code {code})"
        hint = ", perhaps for want of memory" if -code == getattr(signal, "SIGKILL", None) else ""
        return f"was ended by {signal.Signals(-code).name}{hint}"


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process that is started meanwhile never sees Ctrl-C, which reaches all processes of a terminal: this one decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # Python's own helper, at whose start interrupts are let through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, make: Callable[[], EmotionBackend]) -> None:
    """What the process does: load, then answer until the connection is closed."""
    prepare_own_process()  # also where the parent is a program of the user's
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        os.setsid()  # nor does what ends a whole group of processes end it before its parent
    _end_with_parent()
    try:
        with contextlib.closing(make()) as backend:
            backend.load()
            facts = backend.name, backend.uncertain_below, backend.tells_contempt, backend.description
            connection.send((facts, None))
            for method, crops in _questions(connection):
                answer: tuple[npt.NDArray[np.float32] | None, tuple[str, str] | None]
                try:
                    answer = np.asarray(getattr(backend, method)(crops), np.float32), None
                except Exception as error:  # may be this frame's alone
                    answer = None, _as_message(error)
                connection.send(answer)
    except Exception as error:
        if is_debugging():
            traceback.print_exc()
        with contextlib.suppress(OSError):
            connection.send((None, _as_message(error)))
    # TensorFlow takes a second to be torn down in order, and there is nothing to keep.
    sys.stdout.flush()
    sys.stderr.flush()
    remove_caches()
    os._exit(0)


def _questions(connection: Connection) -> Iterator[tuple[str, list[Image]]]:
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        while True:
            yield connection.recv()


def _as_message(error: Exception) -> tuple[str, str]:
    """The name of one of our errors' classes, and the text: a plug-in's own class may not exist in the other process."""
    if isinstance(error, EmodetectError):
        kind = next(base for base in type(error).__mro__ if base.__module__ == errors.__name__)
        return kind.__name__, str(error)
    return ModelError.__name__, f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _end_with_parent() -> None:
    """End this process when its parent is gone, however that came about, and whatever this one is doing."""
    parent = parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def leave() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=leave, name="parent", daemon=True).start()
    with contextlib.suppress(ImportError, OSError):
        # The thread cannot run while a native call holds the lock; the system's own signal, which ends the process, can.
        import fcntl

        fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
