"""The interface between what hands out inputs and what reads them."""

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


class Engine(ABC):
    """Reads inputs with several workers; a context manager that ends them all at once."""

    @abstractmethod
    def workers(self) -> Sequence[int]:
        """The workers that can take a task, by number; where none can yet, it waits for the first."""

    @abstractmethod
    def load(self, worker: int) -> Sequence[Task]:
        """What a worker has still to do."""

    @abstractmethod
    def send(self, worker: int, task: Task) -> None:
        """Give a worker a further task."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Event]:
        """What has happened, as soon as something has, at most after so many seconds.

        Raises:
            EmodetectError: no worker can be started, or results cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """End all workers at once, whatever they do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
