"""Check of the display."""

from __future__ import annotations

import os
from collections.abc import Iterator

from emodetect.doctor.check import Check, Status
from emodetect.system.display import display_problem


def check_display() -> Iterator[Check]:
    """Whether there is a display for the window of `live`."""
    if problem := display_problem():
        cure = "run it in a desktop session (over SSH: ssh -X), or use live `no_window`; image and video need no display"
        yield Check("display", Status.FAULT, problem, cure)
    else:
        yield Check("display", Status.OK, os.environ.get("DISPLAY") or "the system's")
