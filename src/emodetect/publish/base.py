"""Interface of publishers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from emodetect.publish.message import Message


class Publisher(ABC):
    """Sends results to consumers over one protocol.

    `open` and `close` are called once, by the thread that starts a run. `connect` and `send` are called by a separate thread of
    the publisher, so that they may block. An `OSError` in one of them means that the consumer is unreachable. `connect` is then
    retried with a back-off, and unsent messages are sent again. Any other error ends the run.

    Attributes:
        name: name in messages, without passwords.
        capacity: capacity of the queue, messages; newer ones replace the oldest.
        batch: maximum number of messages per call of `send`.
        pause: seconds between two calls of `send`, unless a whole batch is waiting.
        dropped: number of accepted messages that a consumer was too slow for.
    """

    name: str = ""
    capacity: int = 64
    batch: int = 1
    pause: float = 0.0
    dropped: int = 0

    def open(self) -> None:
        """Do what needs no consumer, such as listening on a port.

        Raises:
            OutputError: the publisher cannot be opened.
        """

    def connect(self) -> None:
        """Connect to the consumer; also after `send` has failed.

        Raises:
            OSError: the consumer is unreachable.
        """

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> None:
        """Send messages, in order.

        Args:
            messages: one to `batch` messages.

        Raises:
            OSError: the messages may not have been sent.
        """

    def close(self) -> None:
        """Disconnect; also called if `open` or `connect` has failed or was never called."""
