"""Running the program as a user does: as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT = 180
"""Seconds after which a hanging run fails its test; a loaded machine may take long."""


def command(*arguments: str | Path) -> list[str]:
    """The command line of a run with these arguments."""
    return [sys.executable, "-m", "emodetect", *map(str, arguments)]


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment with changes; None takes a variable away."""
    merged = {**os.environ, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def run(*arguments: str | Path, env: Mapping[str, str | None] | None = None) -> subprocess.CompletedProcess[str]:
    """Run to the end, output caught; neither output is a terminal."""
    return subprocess.run(
        command(*arguments),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """It ended with this code and a single line on stderr that says all of this."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("emodetect: ")
    for part in parts:
        assert part in lines[0]
