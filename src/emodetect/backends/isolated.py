"""Backends in a separate process.

A foreign model can exhaust memory, hang, or exploit a bug in the library that loads it. The code of a plug-in can end its
process, print, or fork. Importing TensorFlow holds the global interpreter lock for seconds, which would freeze the window. A
separate process protects this one from all of these.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeGuard

import numpy as np
import numpy.typing as npt
from typing_extensions import override

import emodetect
from emodetect import errors
from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import ModelConventions
from emodetect.backends.description import ModelDescription
from emodetect.backends.labels import EIGHT_LABELS
from emodetect.backends.limits import size_in_words
from emodetect.backends.model_file import read_model_file
from emodetect.backends.sandbox import holds_packages
from emodetect.backends.worker import HEADER, OUT_OF_MEMORY, Bounds, Job
from emodetect.errors import BackendError, EmodetectError, ModelError, first_line
from emodetect.system.child_processes import ended_by, resident_bytes
from emodetect.system.environment import limit
from emodetect.system.native_output import is_debugging
from emodetect.system.temporary_folders import scratch_folder
from emodetect.types import EMOTIONS, Image

_EXIT_SECONDS = 1.0
"""Seconds that an idle process gets to exit by itself."""

_CHECK_SECONDS = 0.05
"""Seconds between two checks of the process's memory. In this time it can allocate some 100 MB."""

_FACES_AT_ONCE = 16
"""Batch size; a large network needs much memory per face."""

_DEBUG_HINT = "`debug` shows what it said"
"""Hint of errors."""

_PIPE_BYTES = 2**20

_MAX_STEM_LENGTH = 200
"""Maximum length of a copy's stem, bytes."""

_MAX_JSON_BYTES = 2**22
"""Maximum size of a JSON response, bytes."""

_START = """
import _signal, sys  # built in
_signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # before what takes time; the process that we belong to decides
if sys.path[:1] == [""]:
    del sys.path[0]
sys.path += [folder for folder in sys.argv[1:2] if folder not in sys.path]
from emodetect.backends.worker import main
main()
"""
"""Program of the worker process. Unlike `multiprocessing`, it does not run the user's main script again."""


class IsolatedBackend(EmotionBackend):
    """Creates and runs a backend in a worker process, which always ends with this process.

    Args:
        title: display name until the backend is loaded; for a foreign model also afterwards.
        factory: import path of the backend's factory in the worker, "module:function".
        arguments: arguments of the factory; must be picklable.
        model: a foreign model file, the first of the arguments. It is read here, and its copy is loaded in a sandbox. None for
            trusted code.
        bounds: resource limits of a foreign model.
    """

    def __init__(
        self, title: str, factory: str, arguments: tuple[Any, ...], *, model: Path | None = None, bounds: Bounds | None = None
    ) -> None:
        self.name = title
        self._job = Job(title if model is None else str(model), factory, arguments, (), bounds)
        self._model = model
        self._parameter = "backend" if model is None else "model"
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: _Watch | None = None
        self._lifeline: int | None = None
        self._canceled = False
        self._lock = threading.Lock()
        self._given_conventions: ModelConventions | None = None
        self._inherited: subprocess.Popen[bytes] | None = None
        self._is_forked = False
        _all.add(self)

    def detach(self) -> None:
        """Detach from the parent's worker in a child after a fork; the next request starts another worker.

        Two processes that share a pipe would receive each other's responses.
        """
        self._lock = threading.Lock()  # a thread of the parent may have held the old one
        if self._process is None:
            return
        self._is_forked = True
        # Kept referenced: another thread of the parent may have been writing, so that the streams cannot be closed here.
        process, self._inherited, self._process, self._watch = self._process, self._process, None, None
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (process.stdin, process.stdout):
            os.dup2(nowhere, stream.fileno(), inheritable=False)  # type: ignore[union-attr]
        os.close(nowhere)
        self._close_lifeline()

    @override
    def load(self) -> None:
        try:
            with errors.about(self._parameter), _place_of_copy(self._model) as (content, copy):
                self._start(copy)
                if copy is not None:
                    _write(copy, content, str(self._model))
                self._send(pickle.dumps(self._job_for(copy)))
                about = self._receive()[0]
        except BaseException:
            self._kill()
            self.close()
            raise
        self._copy_attributes(about)

    def _start(self, copy: Path | None) -> None:
        bounds, environment = self._job.bounds, dict(os.environ)
        if bounds is not None:
            environment |= {"CUDA_VISIBLE_DEVICES": "-1"}  # the driver does not work in the sandbox
        options: dict[str, Any] = {}
        ours: list[int] = []
        if os.name == "posix":
            theirs, self._lifeline = os.pipe()
            ours.append(theirs)
            # A new session, so that a signal to the terminal's process group does not end the worker first.
            options = {"start_new_session": True, "pass_fds": ours}
        elif sys.platform == "win32":
            options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        root = os.path.dirname(os.path.dirname(emodetect.__file__))
        try:
            with _blocked_interrupts():
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, root, "".join(map(str, ours)), str(copy or "")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=None if bounds is None or is_debugging() else subprocess.DEVNULL,
                    env=environment,
                    **options,
                )
        finally:
            for descriptor in ours:
                os.close(descriptor)
        _enlarge_buffer(self._process.stdin)
        self._watch = _Watch(self._process, None if bounds is None else bounds.memory)
        if self._canceled:
            self._kill()
        self._watch.start_timeout(bounds.load_seconds if bounds else math.inf)

    def _job_for(self, copy: Path | None) -> Job:
        """Complete the job with the import path and the copy of the model."""
        folders = [os.path.abspath(folder) for folder in sys.path]
        if self._job.bounds is not None:
            folders = [folder for folder in folders if holds_packages(folder)]
        job = replace(self._job, path=tuple(folders))
        if copy is None:
            return job
        return replace(job, arguments=(str(copy), *job.arguments[1:]), copy=(str(copy), str(self._model)))

    def _copy_attributes(self, about: dict[str, Any]) -> None:
        """Validate and take over the attributes of the loaded backend.

        Raises:
            ModelError: an attribute is invalid.
        """
        threshold, accuracy = about.get("uncertain_below"), about.get("validation_accuracy")
        if not _is_share(threshold) or not (accuracy is None or _is_share(accuracy)):
            self.close()
            raise ModelError(f"{self._subject}: says that answers are uncertain below {threshold} and right in {accuracy}; "
                             "both are shares from 0 to 1")  # fmt: skip
        try:
            description = about.get("description") and ModelDescription.from_dict(about["description"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.close()
            raise ModelError(f"{self._subject}: its description cannot be read ({first_line(error)})") from error
        if self._model is None:
            self.name = str(about.get("name"))
        elif description is not None:
            description = replace(description, name=self._model.name)  # the copy may have another suffix
        self.description = description or None
        self.uncertain_below, self.validation_accuracy = float(threshold), accuracy
        self.tells_contempt = about.get("tells_contempt") is True
        assert self._watch is not None
        self._watch.is_loading = False

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return self._call("classify", crops, len(EMOTIONS))

    @override
    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return self._call("classify_eight", crops, len(EIGHT_LABELS))

    @override
    def set_conventions(self, conventions: ModelConventions) -> None:
        if self._job.bounds is None:
            super().set_conventions(conventions)  # a plug-in reads its own model
        with errors.about(self._parameter), self._lock:
            self._load_after_fork()
            self._set_conventions(conventions)

    def _set_conventions(self, conventions: ModelConventions) -> None:
        watch, bounds = self._watch, self._job.bounds
        if watch is None or bounds is None:
            raise BackendError(f"the backend {self.name} is not loaded, or was closed")
        watch.start_timeout(bounds.call_seconds)
        self._send(pickle.dumps(("set_conventions", conventions)))
        self._copy_attributes(self._receive()[0])
        self._given_conventions = conventions

    def _load_after_fork(self) -> None:
        if self._is_forked:
            self._is_forked = False
            self.load()
            if self._given_conventions is not None:
                self._set_conventions(self._given_conventions)

    @override
    def cancel(self) -> None:
        self._canceled = True
        self._kill()

    @override
    def close(self) -> None:
        self._is_forked = False
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_EXIT_SECONDS)
            _kill_group(process)
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
        if self._watch is not None:
            self._watch.stop()
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            os.close(lifeline)

    def _call(self, method: str, crops: Sequence[Image], columns: int) -> npt.NDArray[np.float32]:
        parts = [crops[start : start + _FACES_AT_ONCE] for start in range(0, len(crops), _FACES_AT_ONCE)] or [crops]
        with errors.about(self._parameter), self._lock:
            self._load_after_fork()
            return np.concatenate([self._call_once(method, part, columns) for part in parts])

    def _call_once(self, method: str, crops: Sequence[Image], columns: int) -> npt.NDArray[np.float32]:
        if self._process is None or self._watch is None:
            raise BackendError(f"the backend {self.name} is not loaded, or was closed")
        bounds = self._job.bounds
        self._watch.start_timeout(bounds.call_seconds if bounds else math.inf)
        self._send(pickle.dumps((method, [crop.shape for crop in crops])), *map(np.ascontiguousarray, crops))
        about, stream = self._receive()
        numbers = stream.read(4 * len(crops) * columns) if about.get("columns") == columns else b""
        self._watch.stop_timeout()
        if about.get("columns") != columns:
            raise ModelError(f"expected scores of shape {(len(crops), columns)}, got {(len(crops), about.get('columns'))}")
        if len(numbers) < 4 * len(crops) * columns:
            raise self._end()
        return np.frombuffer(numbers, np.float32).reshape(len(crops), columns)

    def _send(self, *parts: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # the worker has exited; `_receive` reports it
            for part in parts:
                self._process.stdin.write(part)
            self._process.stdin.flush()

    def _receive(self) -> tuple[dict[str, Any], IO[bytes]]:
        """Receive the next response: its header, and the stream with its numbers. The time-out covers the numbers as well.

        Raises:
            EmodetectError: the backend failed, or its process exited.
        """
        assert self._process is not None
        assert self._watch is not None
        stream = self._process.stdout
        assert stream is not None
        header = stream.read(HEADER.size)
        size = HEADER.unpack(header)[0] if len(header) == HEADER.size else 0
        text = stream.read(size) if 0 < size <= _MAX_JSON_BYTES else b""
        about: dict[str, Any] = {}
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            about = dict(json.loads(text))
        if "columns" not in about:
            self._watch.stop_timeout()
        if not about:
            raise self._end()
        kind = about.get("kind")
        if kind == OUT_OF_MEMORY:
            raise self._error(self._watch.too_much_memory())
        if kind is not None:
            known = getattr(errors, str(kind), None)
            parameter, hint = (str(about[key]) if about.get(key) else None for key in ("parameter", "hint"))
            raise (known if isinstance(known, type) and issubclass(known, EmodetectError) else BackendError)(
                str(about.get("message")), parameter=parameter, hint=hint
            )
        return about, stream

    @property
    def _subject(self) -> str:
        return str(self._model) if self._model is not None else f"the backend {self.name}"

    def _error(self, what: str) -> EmodetectError:
        """Create a fatal error: `ModelError` while loading, `BackendError` later."""
        kind = ModelError if self._watch is not None and self._watch.is_loading else BackendError
        return kind(f"{self._subject}: {what}")

    def _end(self) -> EmodetectError:
        """Create the error for a worker that has exited."""
        process, watch = self._process, self._watch
        assert process is not None
        assert watch is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_EXIT_SECONDS)
        if watch.end_reason:
            return self._error(watch.end_reason)
        code = process.poll()
        if code is None:
            self._kill()
            return BackendError(f"{self._subject}: its process gives no answer that can be read", hint=_DEBUG_HINT)
        bounds = self._job.bounds
        if code >= 0:
            how = f"ended by itself (exit code {code})"
        elif bounds is not None and -code == getattr(signal, "SIGXCPU", None) and limit("RLIMIT_CPU") is None:
            return self._error(watch.too_slow())
        else:
            how = f"was ended by {ended_by(-code)}"
            if bounds is not None and "memory" in how:
                how += f" (`max_model_memory` is {size_in_words(bounds.memory)})"
        return BackendError(f"{self._subject}: its process {how}", hint=_DEBUG_HINT)

    def _kill(self) -> None:
        if (process := self._process) is not None:
            _kill_group(process)


_all: weakref.WeakSet[IsolatedBackend] = weakref.WeakSet()


def _detach_all() -> None:
    for backend in list(_all):
        backend.detach()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_all)


def _enlarge_buffer(pipe: IO[bytes] | None) -> None:
    """Enlarge a pipe's buffer to the crops of a frame, which saves context switches; Linux only."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # type: ignore[arg-type]


class _Watch:
    """Kills a process that exceeds its memory or time limit.

    Args:
        process: the process.
        memory: memory limit, bytes; None for no limit.

    Attributes:
        end_reason: reason of the kill, for a message; empty if the process was not killed.
        is_loading: whether the backend is still loading.
    """

    def __init__(self, process: subprocess.Popen[bytes], memory: int | None) -> None:
        self._process, self._memory = process, memory
        self.end_reason = ""
        self.is_loading = True
        self._left = self._seconds = math.inf
        self._stopping = threading.Event()
        if memory is not None:
            threading.Thread(target=self._run, name="model watch", daemon=True).start()

    def start_timeout(self, seconds: float) -> None:
        """Start the time-out of a response."""
        self._seconds = self._left = seconds

    def stop_timeout(self) -> None:
        """Stop the time-out: the response has arrived."""
        self._left = math.inf

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    def too_slow(self) -> str:
        """Message for a time-out."""
        return f"{'loading it' if self.is_loading else 'reading faces with it'} took more than {self._seconds:g} s, and was ended"

    def too_much_memory(self) -> str:
        """Message for an exceeded memory limit."""
        limit = "" if self._memory is None else f" ({size_in_words(self._memory)}, `max_model_memory`)"
        return f"{'loading it' if self.is_loading else 'reading faces with it'} takes more memory than it may{limit}"

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopping.wait(_CHECK_SECONDS) and self._process.poll() is None:
            now = time.monotonic()
            # Time in which this program was suspended does not count.
            self._left -= min(now - last, 2 * _CHECK_SECONDS)
            last = now
            if self._left <= 0:
                self._end(self.too_slow())
            elif self._memory is not None and resident_bytes(self._process.pid) > self._memory:
                self._end(self.too_much_memory())

    def _end(self, why: str) -> None:
        self.end_reason = why
        _kill_group(self._process)


@contextlib.contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Block SIGINT while a process starts, until it ignores the signal itself."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


@contextlib.contextmanager
def _place_of_copy(model: Path | None) -> Iterator[tuple[bytes, Path | None]]:
    """Content of a model file, including external weights, and a path for its copy in a private temporary folder.

    Raises:
        ModelError: the file cannot be read, is too large, or is rejected for safety.
    """
    if model is None:
        yield b"", None
        return
    content, suffix = read_model_file(model)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch_folder())
        except OSError as error:
            raise ModelError(f"{model}: there is no folder for a temporary copy ({error.strerror or error})") from error
        # The copy's suffix may be longer than the file's, whose name may have the maximum length already.
        yield content, folder.resolve() / (os.fsencode(model.stem)[:_MAX_STEM_LENGTH].decode(errors="ignore") + suffix)


def _write(copy: Path, content: bytes, model: str) -> None:
    """Write the copy. The worker must be running already, since it removes the copy if this process is killed."""
    try:
        copy.write_bytes(content)
    except OSError as error:
        raise ModelError(f"{model}: cannot be copied to {copy.parent} ({error.strerror or error})") from error


def _is_share(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
