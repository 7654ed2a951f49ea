"""Worker processes on this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from typing_extensions import override

from emodetect import errors
from emodetect.backends.limits import size_in_words
from emodetect.batch.engine import Answer, Death, Engine, Event, Progress, Task, Worker
from emodetect.batch.reader import Reading
from emodetect.batch.remote import fetched, is_in_this_process
from emodetect.batch.settings import BatchSettings
from emodetect.errors import EmodetectError
from emodetect.system.child_processes import ended_by, kill_child, resident_bytes, start_child
from emodetect.system.native_output import is_debugging

_MAX_STARTS = 3
"""Number of consecutive workers that die before they are ready, after which the run is given up."""

_START = "import sys; sys.path[:] = sys.argv[1].split(__import__('os').pathsep); from emodetect.batch.worker import main; main()"
"""Program of a worker; modules in the current folder must not shadow installed ones."""

_JOIN_SECONDS = 0.5
"""Time-out for joining the thread of a killed worker."""

_CHECK_SECONDS = 0.2
"""Interval between checks of the workers' time and memory."""


class _Process(Worker):
    """A process, and the thread that receives its messages.

    Attributes:
        number: number of the worker.
        is_loaded: whether its pipeline is loaded.
        listener: the thread.
        end_reason: why it was killed; None if it was not.
        is_final: whether its first task must not be retried.
    """

    def __init__(
        self, number: int, first: bytes, messages: queue.SimpleQueue[tuple[_Process, bytes]], name_of: Callable[[Task], str]
    ) -> None:
        super().__init__()
        self.number = number
        self.is_loaded = False
        self._name_of = name_of
        self.end_reason: str | None = None
        self.is_final = False
        self._messages = messages
        self.process = start_child(
            [sys.executable, "-c", _START, os.pathsep.join(map(os.path.abspath, sys.path))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if is_debugging() else subprocess.DEVNULL,
        )
        self.listener = threading.Thread(target=self._listen, name="worker", daemon=True)
        self.listener.start()
        self.write(first)

    @property
    @override
    def is_ready(self) -> bool:
        return self.is_loaded and self.end_reason is None

    @override
    def submit(self, task: Task) -> None:
        self.write(json.dumps(asdict(task) | {"path": self._name_of(task)}).encode() + b"\n")

    def write(self, line: bytes) -> None:
        """Send a line; a dead worker is detected elsewhere."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as answers:
            for line in answers:
                if line.endswith(b"\n"):
                    self._messages.put((self, line))
        self._messages.put((self, b""))

    def end(self, cause: str | None = None, *, final: bool = False) -> None:
        """Kill the process."""
        self.end_reason, self.is_final = cause, final
        kill_child(self.process)

    def exit_reason(self) -> str:
        """Cause of death in words; the process must have exited."""
        code = self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):  # unread input
                self.process.stdin.close()
        if self.end_reason is not None:
            return self.end_reason
        if code >= 0:
            return f"its worker ended with code {code}"
        return f"its worker ended by {ended_by(-code)}"


class LocalPool(Engine[_Process]):
    """Worker processes on this machine, each with a loaded pipeline. A dead worker is replaced.

    Args:
        settings: settings of the batch.
        parts: the folder for the readings of clips.
        folder: the folder that names of inputs are relative to.
        jobs: number of workers.
        timeout: time limit per input, seconds; None for no limit.
        max_memory: memory limit per worker, bytes.
    """

    def __init__(
        self, settings: BatchSettings, parts: Path, folder: Path, jobs: int, *, timeout: float | None, max_memory: int
    ) -> None:
        super().__init__(timeout)
        first = {
            "settings": base64.b64encode(pickle.dumps(settings)).decode(),
            "parts": str(parts.resolve()),
            "folder": str(folder),
        }
        self._first = json.dumps(first).encode() + b"\n"
        self._max_memory = max_memory
        self._messages: queue.SimpleQueue[tuple[_Process, bytes]] = queue.SimpleQueue()
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._starts, self._last_check = 0, time.monotonic()
        try:
            for number in range(jobs):
                self._start(number)
        except BaseException:
            self.close()
            raise

    def _start(self, number: int) -> None:
        try:
            self._workers[number] = _Process(number, self._first, self._messages, self._local_path)
        except OSError as error:
            raise EmodetectError(f"a worker cannot be started ({error.strerror or error})") from error

    def _local_path(self, task: Task) -> str:
        """Path of an input for a worker; a copy if only this process can read the input."""
        if not is_in_this_process(task.path):
            return task.path
        self._copies = self._copies or tempfile.TemporaryDirectory(prefix="emodetect-batch-")
        copy = Path(self._copies.name) / f"{task.number}{Path(task.path).suffix}"
        with contextlib.suppress(EmodetectError), fetched(task.path) as file:
            shutil.copyfile(file, copy)
        return str(copy)

    @override
    def wait(self, seconds: float) -> list[Event]:
        events: list[Event] = []
        try:
            message = self._messages.get(timeout=min(seconds, _CHECK_SECONDS))
            while True:
                events += self._parse(*message)
                message = self._messages.get_nowait()
        except queue.Empty:
            pass
        if time.monotonic() - self._last_check >= _CHECK_SECONDS:
            self._last_check = time.monotonic()
            for worker in self._workers.values():
                self._check_limits(worker)
        return events

    def _parse(self, worker: _Process, line: bytes) -> list[Event]:
        if self._workers.get(worker.number) is not worker:
            return []
        if not line:
            return self._replaced(worker)
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            kind: type[EmodetectError] = getattr(errors, message["kind"], EmodetectError)
            raise kind(message["error"], parameter=message["parameter"])
        if "ready" in message:
            worker.is_loaded, self._starts = True, 0
            return []
        task = worker.tasks[0]
        assert task.number == message["number"], "workers answer in order"
        if "frames" in message:
            return [Progress(worker.number, task, message["frames"])]
        return [Answer(worker.number, worker.done(), Reading(**message["reading"]))]

    def _replaced(self, worker: _Process) -> list[Event]:
        cause = worker.exit_reason()
        if not worker.is_loaded:
            self._starts += 1
            if self._starts >= _MAX_STARTS:
                raise EmodetectError(f"no worker can be started: {cause}")
        self._start(worker.number)
        return [Death(worker.number, worker.tasks, cause, worker.is_final)]

    def _check_limits(self, worker: _Process) -> None:
        """Kill a worker that exceeds its time or memory limit."""
        if not worker.tasks or not worker.is_ready:
            return
        if worker.exceeds(self._timeout):
            worker.end(self._timeout_reason, final=True)
        elif resident_bytes(worker.process.pid) > self._max_memory:
            worker.end(f"its worker takes more memory than {size_in_words(self._max_memory)}")

    @override
    def close(self) -> None:
        workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.end("the run has ended")
        if self._copies is not None:
            self._copies.cleanup()
        for worker in workers:
            worker.exit_reason()
            worker.listener.join(_JOIN_SECONDS)


def usable_cores() -> int:
    """Number of cores that this process may use, including the processor limit of a container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroups, or no limit
        return cores
