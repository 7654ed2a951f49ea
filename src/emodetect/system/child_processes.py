"""Child processes that end with this one, in whatever way it ends.

A child holds the reading end of a pipe whose other end only this process has. When this process is gone, killed or crashed, the
system closes that end and signals the child (``F_SETSIG`` on Linux, ``SIGIO`` on other systems that know it). No code of ours has
to run for it, in neither process. Windows has no such signal: there a child ends once its input does, or its work is done.

Each child has a session of its own: Ctrl-C in the terminal and its end reach this process alone, which decides.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from typing import IO, Any

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What ends a child without asking it."""

_children: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def start_child(
    command: Sequence[str],
    *,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    descriptors: tuple[int, ...] = (),
    env: Mapping[str, str] | None = None,
    last_signal: int = KILL,
    pipe_bytes: int = -1,
) -> subprocess.Popen[bytes]:
    """Start a program that ends with this process.

    Args:
        command: the program and its arguments.
        stdin: what it reads; nothing if not said.
        stdout: what it writes to; the same as this process if not said.
        stderr: what it says its errors to; the same as this process if not said.
        descriptors: open files that it inherits.
        env: its environment; this process's if not said.
        last_signal: what it gets when this process is gone; one that it obeys after it has finished its outputs, or `KILL`.
        pipe_bytes: how much a pipe to it holds, where the system lets that be chosen; -1 for what is usual.

    Raises:
        OSError: it cannot be started.
    """
    if os.name != "posix":
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=env)
    else:
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=env,
                pass_fds=(*descriptors, reader),
                start_new_session=True,
                pipesize=pipe_bytes,
            )
        except BaseException:
            os.close(writer)
            raise
        else:
            weakref.finalize(process, os.close, writer)
            _signal_at_end(reader, process.pid, last_signal)
        finally:
            os.close(reader)
    _children.add(process)
    return process


def run_child(
    command: Sequence[str],
    *,
    seconds: float | None = None,
    stderr: int | IO[Any] = subprocess.PIPE,
    descriptors: tuple[int, ...] = (),
    env: Mapping[str, str] | None = None,
    last_signal: int = KILL,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, its outputs caught.

    Args:
        command: the program and its arguments.
        seconds: how long it may take; then it is killed, with what it has started.
        stderr: where its errors go, if they shall not be caught.
        descriptors: as for `start_child`.
        env: as for `start_child`.
        last_signal: as for `start_child`.

    Raises:
        OSError: it cannot be run.
        subprocess.TimeoutExpired: it takes longer.
    """
    with start_child(
        command, stdout=subprocess.PIPE, stderr=stderr, descriptors=descriptors, env=env, last_signal=last_signal
    ) as process:
        try:
            output, messages = process.communicate(timeout=seconds)
        except BaseException:
            kill_child(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, messages)


def kill_child(process: subprocess.Popen[bytes]) -> None:
    """End a child at once, and what it has started: a script that stands for a program has."""
    with contextlib.suppress(OSError):
        process.kill()
        if os.name == "posix":
            os.killpg(process.pid, KILL)


def kill_children() -> None:
    """End all children at once, without waiting for their end.

    For a process that leaves in the next moment: no other thread gets to see before that that a child is gone.
    """
    for child in [process.pid for process in list(_children) if process.poll() is None]:
        with contextlib.suppress(OSError):  # not by the process's own method, which lets other threads run
            os.kill(child, KILL)
            if os.name == "posix":
                os.killpg(child, KILL)


def _signal_at_end(reader: int, child: int, number: int) -> None:
    """Have the system signal a child when the pipe's other end is closed."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(reader, fcntl.F_SETOWN, child)
        if hasattr(fcntl, "F_SETSIG"):
            fcntl.fcntl(reader, fcntl.F_SETSIG, number)
        fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
