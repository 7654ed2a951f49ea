"""Interface of engines, which run the tasks of a batch."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from emodetect.batch.inputs import Kind
from emodetect.batch.reader import Reading


@dataclass(frozen=True)
class Task:
    """A task for one input.

    Attributes:
        number: number of the input.
        path: path of the file.
        kind: kind of the input.
        do: "read" it, or only "hash" it.
    """

    number: int
    path: str
    kind: Kind
    do: Literal["read", "hash"] = "read"


@dataclass(frozen=True)
class Answer:
    """A finished task."""

    worker: int
    task: Task
    reading: Reading


@dataclass(frozen=True)
class Progress:
    """Number of frames of a clip read so far."""

    worker: int
    task: Task
    frames: int


@dataclass(frozen=True)
class Death:
    """A worker that has died; another one replaces it.

    Attributes:
        worker: number of the worker.
        tasks: its pending tasks; the first one is the cause.
        cause: cause of death, in words.
        is_final: whether the first task must not be retried, such as after its time limit.
        is_blameless: whether the first task is not the cause, as when a machine is lost.
    """

    worker: int
    tasks: Sequence[Task]
    cause: str
    is_final: bool = False
    is_blameless: bool = False


Event = Answer | Progress | Death


class Worker(ABC):
    """A worker and its queue of tasks.

    Attributes:
        tasks: its pending tasks, in order.
        since: start of the first task, monotonic clock.
    """

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.since = time.monotonic()

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it accepts tasks."""

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Send it a task."""

    def add(self, task: Task) -> None:
        """Append a task to its queue, and send it."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        self.submit(task)

    def done(self) -> Task:
        """Remove the first task from its queue; the next one starts now."""
        self.since = time.monotonic()
        return self.tasks.pop(0)

    def exceeds(self, seconds: float | None) -> bool:
        """Whether its first task exceeds a time limit; None is no limit."""
        return seconds is not None and bool(self.tasks) and time.monotonic() - self.since > seconds


_Worker = TypeVar("_Worker", bound=Worker)


class Engine(ABC, Generic[_Worker]):
    """Runs tasks with several workers.

    Args:
        timeout: time limit per task, seconds; None for no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._workers: dict[int, _Worker] = {}

    def workers(self) -> Sequence[int]:
        """Numbers of the workers that accept tasks."""
        return [number for number, worker in self._workers.items() if worker.is_ready]

    def load(self, worker: int) -> Sequence[Task]:
        """Pending tasks of a worker."""
        return self._workers[worker].tasks

    def send(self, worker: int, task: Task) -> None:
        """Append a task to a worker's queue."""
        self._workers[worker].add(task)

    @property
    def _timeout_reason(self) -> str:
        """Reason for killing a worker that exceeds its time limit."""
        return f"it takes longer than {self._timeout:g} s"

    @abstractmethod
    def wait(self, seconds: float) -> list[Event]:
        """Wait for events, at most ``seconds``.

        Raises:
            EmodetectError: no worker can be started, or results cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Kill all workers."""
