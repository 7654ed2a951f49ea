"""Running the program as a user does: as a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from emodetect.cli import main as program

TIMEOUT = 180
"""Seconds after which a hanging run fails its test; a loaded machine may take long."""


def command(*arguments: str | Path) -> list[str]:
    """The command line of a run with these arguments."""
    return [sys.executable, "-m", "emodetect", *map(str, arguments)]


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment with changes; None takes a variable away."""
    merged = {**os.environ, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def run(
    *arguments: str | Path, env: Mapping[str, str | None] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, output caught; neither output is a terminal."""
    return subprocess.run(
        command(*arguments),
        env=environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def run_here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """As `run`, but in this process, which has imported the libraries already: for what does not depend on one of its own."""
    output, errors = io.StringIO(), io.StringIO()
    lines, log = program._Lines(), logging.getLogger("emodetect")
    log.addHandler(lines)
    try:
        with (
            patch.dict(os.environ),  # some options pass themselves on by the environment
            patch.object(sys, "argv", ["emodetect", *map(str, arguments)]),
            patch.object(program, "handle_signals", lambda: None),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            code = program._run()
    finally:
        log.removeHandler(lines)
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def run_on_terminal(*arguments: str | Path) -> str:
    """Run with standard error on a terminal; everything that is written there, with the codes that move its cursor."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = b""
    with subprocess.Popen(
        command(*arguments), env=environment({"TERM": "xterm"}), stdout=subprocess.DEVNULL, stderr=its
    ) as process:
        os.close(its)
        with contextlib.suppress(OSError):  # the terminal is closed when the process ends
            while part := os.read(ours, 4096):
                shown += part
        process.wait(timeout=TIMEOUT)
    os.close(ours)
    return shown.decode()


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """It ended with this code and a single line on stderr that says all of this."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("emodetect: ")
    for part in parts:
        assert part in lines[0]


@contextmanager
def started(
    *arguments: str | Path, changes: Mapping[str, str | None] | None = None, folder: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on, without a display but for these changes of the environment; killed if the test fails."""
    env = environment({"DISPLAY": None, **(changes or {})})
    with subprocess.Popen(command(*arguments), env=env, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a run's end; what it said."""
    _, errors = process.communicate(timeout=TIMEOUT)
    assert "Traceback" not in errors
    return errors


def handles_signals(pid: int) -> bool:
    """Whether the program has its handlers; Python brings one for SIGINT, but none for SIGTERM."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        pytest.skip("there is no /proc here")
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def log_lines(log: Path) -> list[str]:
    """The lines of a log that may not be there yet."""
    return log.read_text().splitlines() if log.exists() else []


def is_running(pid: int) -> bool:
    """Whether a process is there and no corpse."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def command_line(pid: int) -> bytes:
    """How a process was started, its words parted by NUL; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
