"""The sink that hands results to publishers, each in a thread of its own, and never waits for a consumer that is not there."""

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

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two tries to reach a consumer: at first, and at most."""

_LOOK_SECONDS = 0.2
"""How often a thread that waits looks after other things."""

_LAST_SECONDS = 3.0
"""Seconds that a publisher has at the end for what still waits to be sent, and as many to close its connection."""


class PublishingSink(Sink):
    """Publishes results. Entering it opens the publishers.

    Args:
        publishers: what sends them.
        changes_only: publish the frames in which the label of a face changes, and no others.
        clock: the present on the clock of frames' timestamps, seconds; None where frames have media time, which is then taken
            to begin with the first frame.
        waits: whether `write` waits for slow consumers that can be reached.
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
        self._outlets = [_Outlet(publisher) for publisher in publishers]

    @override
    def __enter__(self) -> Self:
        try:
            for outlet in self._outlets:
                outlet.start()
        except BaseException:
            self.close()
            raise
        return self

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        if not self._outlets:
            return
        message = Message(result.as_dict(), self._captured(frame.timestamp), self._watch.update(result))
        for outlet in self._outlets:
            outlet.raise_error()
            if message.changes or not self._changes_only:
                outlet.put(message, waits=self._waits)

    def _captured(self, timestamp: float) -> float:
        """The time of a frame on the monotonic clock."""
        now = time.monotonic()
        if self._clock is not None:
            return now - (self._clock() - timestamp)
        if self._begin is None:
            self._begin = now - timestamp
        return self._begin + timestamp

    @override
    def close(self) -> None:
        for outlet in self._outlets:
            outlet.stop()
        for outlet in self._outlets:
            outlet.finish()
        for outlet in self._outlets:
            outlet.raise_error()

    @override
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(EmodetectError) if error is not None else contextlib.nullcontext():
            self.close()


class _Outlet:
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
        """Open the publisher, and start the thread."""
        try:
            self._publisher.open()
        except EmodetectError:
            raise
        except Exception as error:
            raise self._fault(error) from error
        self._thread.start()

    def put(self, message: Message, *, waits: bool) -> None:
        """Have a message sent, once there is room for it if that is wanted, and the consumer is not lost."""
        while waits and not self._is_lost and self._error is None and not self._messages.wait_for_room(_LOOK_SECONDS):
            pass
        if self._error is None:
            self._messages.put(message)

    def raise_error(self) -> None:
        """Raise what has ended the thread, once."""
        if self._error is not None and not self._raised:
            self._raised = True
            raise self._error

    def stop(self) -> None:
        """Let nothing more be sent than what waits already."""
        self._until = time.monotonic() + _LAST_SECONDS
        self._stopping.set()
        self._messages.close()

    def finish(self) -> None:
        """Wait for the thread, close the publisher, and tell what was dropped; the second time, nothing is done."""
        if self._closed:
            return
        self._closed = True
        if self._thread.ident:
            self._thread.join(max(0.0, self._until - time.monotonic()) + _LAST_SECONDS)
        if not self._thread.is_alive():
            self._close_publisher()
        dropped = self._messages.dropped + len(self._messages) + self._publisher.dropped
        if dropped and self._error is None:
            _log.warning("%s: %s not sent: newer ones took their place", self._publisher.name, _were(dropped))

    def _close_publisher(self) -> None:
        try:
            self._publisher.close()
        except OSError:
            pass
        except Exception as error:
            self._error = self._error or self._fault(error)

    def _run(self) -> None:
        pause = _SHORTEST_PAUSE
        try:
            while not self._is_over():
                if self._deliver():
                    pause = _SHORTEST_PAUSE
                else:
                    self._stopping.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except EmodetectError as error:
            self._error = error
        except Exception as error:
            self._error = self._fault(error)

    def _is_over(self) -> bool:
        if not self._stopping.is_set():
            return False
        return self._messages.finished or self._is_lost or time.monotonic() > self._until

    def _deliver(self) -> bool:
        """Connect if necessary, and send what waits; returns whether the consumer was reached."""
        publisher, taken = self._publisher, list[Message]()
        try:
            if not self._is_connected:
                publisher.connect()
                self._is_connected = True
            taken = self._messages.take(publisher.batch, _LOOK_SECONDS)
            if taken:
                publisher.send(taken)
        except OSError as error:
            self._messages.put_back(taken)
            self._is_connected = False
            self._tell_lost(error)
            return False
        if taken:
            self._tell_reached()
            self._messages.wait_for(publisher.batch, publisher.pause)
        return True

    def _tell_lost(self, error: OSError) -> None:
        if not self._is_lost:
            what = "cannot be reached any more" if self._was_reached else "cannot be reached"
            reason = one_line(first_line(error) if error.strerror is None else error.strerror)
            _log.warning("%s: %s (%s); it is tried again", self._publisher.name, what, reason)
        self._is_lost = True

    def _tell_reached(self) -> None:
        if self._is_lost:
            _log.warning("%s: is reached again" if self._was_reached else "%s: is reached now", self._publisher.name)
        self._is_lost, self._was_reached = False, True

    def _fault(self, error: Exception) -> OutputError:
        return publisher_fault(self._publisher.name, error)


def _were(number: int) -> str:
    return f"{counted(number, 'message')} {'was' if number == 1 else 'were'}"
