"""Work that a signal must not interrupt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def past_one_interruption(work: Callable[[], object]) -> None:
    """Complete work despite one exception of a signal, such as KeyboardInterrupt, which is raised afterwards.

    A second one is raised at once.

    Args:
        work: the work; called again after an interruption.
    """
    try:
        work()
    except Exception:
        raise
    except BaseException:
        work()
        raise


class Task:
    """Work in a daemon thread.

    Before Python 3.13, `threading.Thread` counts as ended after an interrupted `join`.

    Args:
        work: the work.
        name: name of the thread.
    """

    def __init__(self, work: Callable[[], None], *, name: str) -> None:
        self._work, self._done = work, threading.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether the work has ended, with or without an error."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end of the work, at most ``timeout`` seconds."""
        self._done.wait(timeout)


def interruptibly(work: Callable[[], T], *, name: str) -> T:
    """Call a native function that may block forever, and handle signals meanwhile; returns its result.

    Called from the main thread, which handles signals, the function runs in another thread. If a signal interrupts the wait, that
    thread is left behind.

    Args:
        work: the function; its result or error is lost if it is left behind.
        name: of the thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    result: Future[T] = Future()

    def do() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    Task(do, name=name)
    return result.result()
