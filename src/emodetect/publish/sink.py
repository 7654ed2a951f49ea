"""The publishing sink: passes results to publishers, each in a separate thread, and never waits for an unreachable consumer."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from typing_extensions import Self, override

from emodetect.errors import EmodetectError, OutputError, first_line
from emodetect.publish.base import Publisher
from emodetect.publish.faults import publisher_fault
from emodetect.publish.message import LabelWatch, Message
from emodetect.queues.backlog import Backlog
from emodetect.sinks.base import Sink
from emodetect.text.printable import counted, one_line
from emodetect.types import Frame, FrameResult

_log = logging.getLogger(__name__)

_INITIAL_BACKOFF, _MAX_BACKOFF = 0.2, 5.0
"""Back-off between attempts to reach a consumer: initial and maximum delay, seconds."""

_POLL_SECONDS = 0.2
"""Interval at which a waiting thread checks for other events."""

_SHUTDOWN_SECONDS = 3.0
"""Time-out for sending the remaining messages at the end, seconds; the same again for closing the connection."""


class PublishingSink(Sink):
    """Publishes results. Entering it opens the publishers.

    Args:
        publishers: the publishers.
        changes_only: publish only the frames in which the label of a face changes.
        clock: current time on the clock of the frames' timestamps, seconds; None if frames have media time, which then starts
            with the first frame.
        waits: whether `write` waits for slow consumers that are reachable.
    """

    def __init__(
        self,
        publishers: Sequence[Publisher],
        *,
        changes_only: bool = False,
        clock: Callable[[], float] | None = None,
        waits: bool = False,
    ) -> None:
        self._changes_only, self._clock, self._waits = changes_only, clock, waits
        self._watch = LabelWatch()
        self._begin: float | None = None
        self._channels = [_Channel(publisher) for publisher in publishers]

    @override
    def __enter__(self) -> Self:
        try:
            for channel in self._channels:
                channel.start()
        except BaseException:
            self.close()
            raise
        return self

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        if not self._channels:
            return
        message = Message(result.as_dict(), self._captured(frame.timestamp), self._watch.update(result))
        for channel in self._channels:
            channel.raise_error()
            if message.changes or not self._changes_only:
                channel.put(message, waits=self._waits)

    def _captured(self, timestamp: float) -> float:
        """Convert a frame's timestamp to the monotonic clock."""
        now = time.monotonic()
        if self._clock is not None:
            return now - (self._clock() - timestamp)
        if self._begin is None:
            self._begin = now - timestamp
        return self._begin + timestamp

    @override
    def close(self) -> None:
        for channel in self._channels:
            channel.stop()
        for channel in self._channels:
            channel.finish()
        for channel in self._channels:
            channel.raise_error()

    @override
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(EmodetectError) if error is not None else contextlib.nullcontext():
            self.close()


class _Channel:
    """A publisher with its queue and its thread."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._messages: Backlog[Message] = Backlog(publisher.capacity)
        self._error: EmodetectError | None = None
        self._raised = self._closed = False
        self._is_connected = self._is_lost = False
        self._was_reached = False
        self._stopping = threading.Event()
        self._until = 0.0
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Open the publisher and start the thread."""
        try:
            self._publisher.open()
        except EmodetectError:
            raise
        except Exception as error:
            raise self._fault(error) from error
        self._thread.start()

    def put(self, message: Message, *, waits: bool) -> None:
        """Queue a message; with ``waits`` this blocks while the queue is full and the consumer is reachable."""
        while waits and not self._is_lost and self._error is None and not self._messages.wait_for_room(_POLL_SECONDS):
            pass
        if self._error is None:
            self._messages.put(message)

    def raise_error(self) -> None:
        """Raise the error that ended the thread, once."""
        if self._error is not None and not self._raised:
            self._raised = True
            raise self._error

    def stop(self) -> None:
        """Close the queue; messages in it are still sent."""
        self._until = time.monotonic() + _SHUTDOWN_SECONDS
        self._stopping.set()
        self._messages.close()

    def finish(self) -> None:
        """Wait for the thread, close the publisher, and report dropped messages; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._thread.ident:
            self._thread.join(max(0.0, self._until - time.monotonic()) + _SHUTDOWN_SECONDS)
        if not self._thread.is_alive():
            self._close_publisher()
        dropped = self._messages.dropped + len(self._messages) + self._publisher.dropped
        if dropped and self._error is None:
            _log.warning("%s: %s not sent: newer ones took their place", self._publisher.name, _counted(dropped))

    def _close_publisher(self) -> None:
        try:
            self._publisher.close()
        except OSError:
            pass
        except Exception as error:
            self._error = self._error or self._fault(error)

    def _run(self) -> None:
        pause = _INITIAL_BACKOFF
        try:
            while not self._is_over():
                if self._deliver():
                    pause = _INITIAL_BACKOFF
                else:
                    self._stopping.wait(pause)
                    pause = min(2 * pause, _MAX_BACKOFF)
        except EmodetectError as error:
            self._error = error
        except Exception as error:
            self._error = self._fault(error)

    def _is_over(self) -> bool:
        if not self._stopping.is_set():
            return False
        return self._messages.finished or self._is_lost or time.monotonic() > self._until

    def _deliver(self) -> bool:
        """Connect if necessary, and send waiting messages; returns whether the consumer was reached."""
        publisher, taken = self._publisher, list[Message]()
        try:
            if not self._is_connected:
                publisher.connect()
                self._is_connected = True
            taken = self._messages.take(publisher.batch, _POLL_SECONDS)
            if taken:
                publisher.send(taken)
        except OSError as error:
            self._messages.put_back(taken)
            self._is_connected = False
            self._log_lost(error)
            return False
        if taken:
            self._log_reached()
            self._messages.wait_for(publisher.batch, publisher.pause)
        return True

    def _log_lost(self, error: OSError) -> None:
        if not self._is_lost:
            what = "cannot be reached any more" if self._was_reached else "cannot be reached"
            reason = one_line(first_line(error) if error.strerror is None else error.strerror)
            _log.warning("%s: %s (%s); it is tried again", self._publisher.name, what, reason)
        self._is_lost = True

    def _log_reached(self) -> None:
        if self._is_lost:
            _log.warning("%s: is reached again" if self._was_reached else "%s: is reached now", self._publisher.name)
        self._is_lost, self._was_reached = False, True

    def _fault(self, error: Exception) -> OutputError:
        return publisher_fault(self._publisher.name, error)


def _counted(number: int) -> str:
    return f"{counted(number, 'message')} {'was' if number == 1 else 'were'}"
