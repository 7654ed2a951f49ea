"""The interface between what hands out inputs and what reads them."""

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
    """Something to do for one input.

    Attributes:
        number: of the input.
        path: of the file.
        kind: what the input is.
        do: "read" it, or only "hash" it.
    """

    number: int
    path: str
    kind: Kind
    do: Literal["read", "hash"] = "read"


@dataclass(frozen=True)
class Answer:
    """A task that is done."""

    worker: int
    task: Task
    reading: Reading


@dataclass(frozen=True)
class Progress:
    """How many frames of a clip were read so far."""

    worker: int
    task: Task
    frames: int


@dataclass(frozen=True)
class Death:
    """A worker that has ended; another one takes its place.

    Attributes:
        worker: which one.
        tasks: what it had still to do; it died of the first of them.
        cause: how it ended, in words.
        is_final: whether its task is not to be tried again, such as after its time limit.
        is_blameless: whether it ended by something that the task has no part in, such as the loss of its machine.
    """

    worker: int
    tasks: Sequence[Task]
    cause: str
    is_final: bool = False
    is_blameless: bool = False


Event = Answer | Progress | Death


class Worker(ABC):
    """What is known of a worker.

    Attributes:
        tasks: what it has still to do, in order.
        since: when it began the first of its tasks, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.since = time.monotonic()

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it can take a task."""

    @abstractmethod
    def hand(self, task: Task) -> None:
        """Pass a task on to it."""

    def add(self, task: Task) -> None:
        """Give it a further task."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        self.hand(task)

    def done(self) -> Task:
        """Take the first of its tasks away; it begins the next one now."""
        self.since = time.monotonic()
        return self.tasks.pop(0)

    def takes_longer_than(self, seconds: float | None) -> bool:
        """Whether it is at a task for so long; never with None."""
        return seconds is not None and bool(self.tasks) and time.monotonic() - self.since > seconds


_Worker = TypeVar("_Worker", bound=Worker)


class Engine(ABC, Generic[_Worker]):
    """Reads inputs with several workers.

    Args:
        timeout: seconds that an input may take; None for any time.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._workers: dict[int, _Worker] = {}

    def workers(self) -> Sequence[int]:
        """The workers that can take a task, by number."""
        return [number for number, worker in self._workers.items() if worker.is_ready]

    def load(self, worker: int) -> Sequence[Task]:
        """What a worker has still to do."""
        return self._workers[worker].tasks

    def send(self, worker: int, task: Task) -> None:
        """Give a worker a further task."""
        self._workers[worker].add(task)

    @property
    def _late(self) -> str:
        """Why a worker is ended that takes longer than it may."""
        return f"it takes longer than {self._timeout:g} s"

    @abstractmethod
    def wait(self, seconds: float) -> list[Event]:
        """What has happened, as soon as something has, at most after so many seconds.

        Raises:
            EmodetectError: no worker can be started, or results cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """End all workers at once, whatever they do."""
