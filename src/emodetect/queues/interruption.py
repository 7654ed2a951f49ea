"""Work that a signal must not interrupt halfway."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def past_one_interruption(work: Callable[[], object]) -> None:
    """Complete work despite one Ctrl-C or another signal's exception, which is raised afterwards.

    A second one is raised at once.

    Args:
        work: what to do; called again after an interruption.
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

    Before Python 3.13, `threading.Thread` considers a thread ended once waiting for it was interrupted.

    Args:
        work: what to do.
        name: of the thread.
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
        """Whether it has ended, with an error or without."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        self._done.wait(timeout)


def interruptibly(work: Callable[[], T], *, name: str) -> T:
    """Do native work that may take for ever, so that signals are handled meanwhile; returns its result.

    In the main thread, where Python handles them, another thread does the work, and is left behind when a signal ends the wait.

    Args:
        work: what to do. What it returns, or raises, is lost once it is left behind.
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
