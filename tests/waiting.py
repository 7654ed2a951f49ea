"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.cli.running import TIMEOUT


def wait_until(condition: Callable[[], object], what: str = "the condition", *, every: float = 0.05) -> None:
    """Wait until a condition holds, which must happen.

    Args:
        condition: is true once it holds.
        what: what is waited for, for the message of a failure.
        every: seconds between two checks.
    """
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(every)
