"""Tests of what could hang."""

from __future__ import annotations

import threading
from collections.abc import Callable

LONG = 60.0
"""Seconds after which something that should have ended is taken for hung."""


def raised_by(work: Callable[[], object]) -> BaseException | None:
    """Run in a thread, so that a deadlock fails instead of hanging the tests; returns what was raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONG)
    assert not thread.is_alive(), "hangs"
    return raised[0] if raised else None
