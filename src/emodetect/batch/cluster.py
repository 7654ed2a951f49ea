"""Workers on a Ray cluster, or on a local one that is started for the run. Ray is imported only if it is chosen.

Only the names of inputs are sent, not their content; every node must find the same files under the same names. Readings are
returned, and this process writes them, so that no node needs write access to the results.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from emodetect.batch.engine import Answer, Death, Engine, Event, Task, Worker
from emodetect.batch.parts import clip_part
from emodetect.batch.reader import Reader, Reading
from emodetect.batch.settings import BatchSettings
from emodetect.errors import BackendUnavailableError, EmodetectError, first_line
from emodetect.system.environment import prepare_own_process
from emodetect.system.install_hints import extra_cure
from emodetect.system.native_output import silence_libraries
from emodetect.system.output_files import atomic_write

_CONNECT_SECONDS = 5.0
"""How long the cluster is waited for."""


class ReaderActor:
    """A reader on a node, with a loaded pipeline.

    Args:
        settings: settings of the batch.
        folder: the folder that names of inputs are relative to; the node's current one if it does not exist there.
    """

    def __init__(self, settings: BatchSettings, folder: str) -> None:
        prepare_own_process()
        silence_libraries()
        if os.path.isdir(folder):
            os.chdir(folder)
        self._parts = Path(tempfile.mkdtemp(prefix="emodetect-batch-"))
        self._reader = Reader(settings, self._parts)

    def node(self) -> str:
        """Id of this actor's node."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def run(self, task: Task) -> tuple[Reading, bytes]:
        """Run a task.

        Returns:
            The reading, and the lines of a clip, compressed by zlib.
        """
        if task.do == "hash":
            return self._reader.hash(task.path), b""
        reading = self._reader.read(task.path, task.kind, lambda frames: None)
        packed = b""
        if task.kind == "clip" and reading.error is None:
            part = self._parts / clip_part(bytes.fromhex(reading.hash))
            packed = zlib.compress(part.read_bytes(), 1)
            part.unlink()
        return reading, packed

    def __ray_shutdown__(self) -> None:
        """Remove temporary files."""
        shutil.rmtree(self._parts, ignore_errors=True)


class _Actor(Worker):
    """An actor and its queue of tasks.

    Attributes:
        handle: its handle.
        ready: future of its node's id, available once its pipeline is loaded.
        node: id of its node; None while it is loading.
        answers: future of each task's result.
    """

    def __init__(self, handle: Any) -> None:
        super().__init__()
        self.handle = handle
        self.ready = handle.node.remote()
        self.node: str | None = None
        self.answers: list[Any] = []

    @property
    @override
    def is_ready(self) -> bool:
        return self.node is not None

    @override
    def submit(self, task: Task) -> None:
        self.answers.append(self.handle.run.remote(task))


class RayCluster(Engine[_Actor]):
    """Actors on a Ray cluster, each with a loaded pipeline. A lost actor is replaced as soon as the cluster has room.

    Args:
        settings: settings of the batch.
        parts: the folder for the readings of clips.
        folder: the folder that names of inputs are relative to.
        jobs: number of actors; None for one per core of the cluster.
        max_actors: maximum useful number of actors.
        timeout: time limit per input, seconds; None for no limit.
        address: address of the cluster, or "auto" for the one of this machine; None starts a local one.

    Raises:
        BackendUnavailableError: Ray is not installed.
        EmodetectError: the cluster cannot be reached.
    """

    def __init__(
        self, settings: BatchSettings, parts: Path, folder: Path, jobs: int | None, *, max_actors: int, timeout: float | None,
        address: str | None,
    ) -> None:  # fmt: skip
        super().__init__(timeout)
        self._ray, self._parts = _import_ray(), parts
        self._started_ray = not self._ray.is_initialized()
        if self._started_ray:
            self._connect(address, jobs)
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        remote = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(ReaderActor)
        packed, base = self._ray.put(settings), str(folder)
        self._new: Callable[[], Any] = partial(remote.remote, packed, base)
        for number in range(min(jobs or cores, max_actors)):
            self._start(number)

    def _connect(self, address: str | None, jobs: int | None) -> None:
        _check_reachable(address)
        options: dict[str, Any] = {} if address else {"num_cpus": jobs, "include_dashboard": False}
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # Ray's exceptions have no common base class
            where = address or "of this machine"
            raise EmodetectError(f"the Ray cluster {where} cannot be reached ({first_line(error)})") from error
        finally:
            for number, handler in handlers.items():  # Ray replaces the signal handlers
                signal.signal(number, handler)

    def _start(self, number: int) -> None:
        self._workers[number] = _Actor(self._new())

    @override
    def wait(self, seconds: float) -> list[Event]:
        waited = {}
        for number, worker in self._workers.items():
            if worker.node is None:
                waited[worker.ready] = number
            elif worker.answers:
                waited[worker.answers[0]] = number
        done, _ = self._ray.wait([*waited], num_returns=1, timeout=seconds) if waited else ((), ())
        if done:  # collect all that have finished by now
            done, _ = self._ray.wait([*waited], num_returns=len(waited), timeout=0)
        events: list[Event] = []
        for answer in done:
            events += self._handle_result(waited[answer], answer)
        return events + self._check_limits()

    def _handle_result(self, number: int, answer: Any) -> list[Event]:
        worker = self._workers[number]
        errors = self._ray.exceptions
        try:
            value = self._ray.get(answer)
        except errors.RayActorError as error:
            if worker.node is None and getattr(error, "actor_init_failed", False):
                raise EmodetectError(f"no worker can be started: {_last_line(error)}") from error
            lost = worker.node is None or not self._is_alive(worker.node)
            self._start(number)
            cause = "its worker ended" if not lost else "its node was lost"
            return [Death(number, worker.tasks, cause, is_blameless=lost)]
        except errors.RayTaskError as error:
            raise EmodetectError(f"a worker on the cluster failed: {_last_line(error)}") from error
        if worker.node is None:
            worker.node = value
            return []
        reading, packed = value
        task = worker.done()
        worker.answers.pop(0)
        if packed:
            self._write(reading, packed)
        return [Answer(number, task, reading)]

    def _write(self, reading: Reading, packed: bytes) -> None:
        with atomic_write(self._parts / clip_part(bytes.fromhex(reading.hash))) as partial:
            partial.write_bytes(zlib.decompress(packed))

    def _is_alive(self, node: str) -> bool:
        return any(one["NodeID"] == node and one["Alive"] for one in self._ray.nodes())

    def _check_limits(self) -> list[Event]:
        """Kill actors that exceed the time limit."""
        events: list[Event] = []
        for number, worker in list(self._workers.items()):
            if worker.exceeds(self._timeout):
                self._ray.kill(worker.handle)
                self._start(number)
                events.append(Death(number, worker.tasks, self._timeout_reason, is_final=True))
        return events

    @override
    def close(self) -> None:
        workers, self._workers = [*self._workers.values()], {}
        for worker in workers:
            with contextlib.suppress(Exception):  # the cluster may be lost
                self._ray.kill(worker.handle)
        if self._started_ray and self._ray.is_initialized():
            self._ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Check that something answers at an address, at which Ray would try for many minutes.

    Raises:
        EmodetectError: nothing does.
    """
    host, separator, port = (address or "").removeprefix("ray://").rpartition(":")
    if not separator or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EmodetectError(f"the Ray cluster {address} cannot be reached ({reason})", parameter="address") from error


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise sent to Ray's maker
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # suppresses a warning
    try:
        import ray
    except ImportError as error:
        raise BackendUnavailableError("the engine needs Ray", parameter="engine", hint=extra_cure("ray")) from error
    return ray


def _last_line(error: Exception) -> str:
    """Last line of Ray's message, which contains a long traceback, without the name of an error of this package."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^emodetect\.errors\.\w+: ", "", lines[-1].strip())[:200] if lines else type(error).__name__
