"""Interface of engines, which run the tasks of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from typing_extensions import Self

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


class Engine(ABC):
    """Runs tasks with several workers; a context manager that kills them all at its end."""

    @abstractmethod
    def workers(self) -> Sequence[int]:
        """Numbers of the workers that accept tasks; waits for the first one."""

    @abstractmethod
    def load(self, worker: int) -> Sequence[Task]:
        """Pending tasks of a worker."""

    @abstractmethod
    def send(self, worker: int, task: Task) -> None:
        """Append a task to a worker's queue."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Event]:
        """Wait for events, at most ``seconds``.

        Raises:
            EmodetectError: no worker can be started, or results cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Kill all workers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
