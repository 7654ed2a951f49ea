"""Interface of all publishers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from emodetect.publish.message import Message


class Publisher(ABC):
    """Sends results to consumers by one protocol.

    `open` and `close` are called once, by the thread that starts a run. `connect` and `send` are called by a thread of the
    publisher's own, so that they may wait; an `OSError` in one of them means that the consumer cannot be reached. `connect` is
    then called again, with growing pauses, and what could not be sent is sent once more. Any other error ends the run.

    Attributes:
        name: what to call it in messages, without passwords.
        capacity: messages that wait to be sent at most; newer ones replace the oldest.
        batch: messages that one call of `send` takes at most.
        pause: seconds from one call of `send` to the next, unless a whole batch is waiting.
        dropped: messages that it has taken, and that some consumer was too slow for.
    """

    name: str = ""
    capacity: int = 64
    batch: int = 1
    pause: float = 0.0
    dropped: int = 0

    def open(self) -> None:
        """Do what needs no consumer, such as listening on a port.

        Raises:
            OutputError: it cannot be done.
        """

    def connect(self) -> None:
        """Connect to the consumer; also after `send` has failed.

        Raises:
            OSError: it cannot be reached.
        """

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> None:
        """Send messages, in order.

        Args:
            messages: from one to `batch`.

        Raises:
            OSError: they were not sent, or perhaps not.
        """

    def close(self) -> None:
        """Disconnect; also where `open` or `connect` has failed or was never called."""
