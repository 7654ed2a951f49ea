"""Child processes that end with this one, for whatever reason it ends.

A child holds the reading end of a pipe whose other end only this process has. When this process ends, is killed or crashes, the
system closes that end and signals the child (``F_SETSIG`` on Linux, ``SIGIO`` on other systems that support it). No code has to
run for that in either process. Windows has no such signal: there a child ends when its input ends, or its work is done.

Each child has its own session, so that Ctrl-C and the end of the terminal reach this process only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO, Any

from emodetect.system.environment import limit

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""The signal that ends a process at once."""

_START_SECONDS = 10.0
"""Seconds that an exiting process waits for a child that is being started."""

_starting = threading.Lock()
"""Held while a child is started: until its signal is set, it would outlive this process."""

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
        stdin: its standard input; empty by default.
        stdout: its standard output; inherited by default.
        stderr: its standard error; inherited by default.
        descriptors: open files that it inherits.
        env: its environment; inherited by default.
        last_signal: the signal that it receives when this process ends: one that lets it finish its outputs, or `KILL`.
        pipe_bytes: capacity of a pipe to it, if the system supports that; -1 for the default.

    Raises:
        OSError: the program cannot be started.
    """
    popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
    start = partial(popen, command, stdin=stdin, stdout=stdout, stderr=stderr, env=env)
    with _starting:
        if os.name == "posix":
            process = _start_tied(partial(start, start_new_session=True, pipesize=pipe_bytes), descriptors, last_signal)
        else:
            process = start()
        _children.add(process)
    return process


def _start_tied(
    start: Callable[..., subprocess.Popen[bytes]], descriptors: tuple[int, ...], number: int
) -> subprocess.Popen[bytes]:
    """Start a child that the system signals when this process ends.

    Args:
        start: starts it, with the descriptors to inherit as ``pass_fds``.
        descriptors: open files that it inherits.
        number: number of the signal.
    """
    process = None
    reader, writer = os.pipe()
    try:
        process = start(pass_fds=(*descriptors, reader))
        weakref.finalize(process, os.close, writer)
        _signal_at_end(reader, process.pid, number)
    except BaseException:
        if process is None:
            os.close(writer)
        else:
            kill_child(process)
        raise
    finally:
        os.close(reader)
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
    """Run a program to its end and capture its outputs.

    Args:
        command: the program and its arguments.
        seconds: time-out, after which it is killed together with its children.
        stderr: where its standard error goes, if it is not captured.
        descriptors: as for `start_child`.
        env: as for `start_child`.
        last_signal: as for `start_child`.

    Raises:
        OSError: the program cannot be run.
        subprocess.TimeoutExpired: the time-out has expired.
    """
    process = start_child(
        command, stdout=subprocess.PIPE, stderr=stderr, descriptors=descriptors, env=env, last_signal=last_signal
    )
    return finish_child(process, seconds)


def finish_child(process: subprocess.Popen[bytes], seconds: float | None = None) -> subprocess.CompletedProcess[bytes]:
    """Wait for a child to exit and capture its outputs.

    Args:
        process: the child.
        seconds: time-out, after which it is killed together with its children.

    Raises:
        subprocess.TimeoutExpired: the time-out has expired.
    """
    with process:
        try:
            output, messages = process.communicate(timeout=seconds)
        except BaseException:
            kill_child(process)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, messages)


def kill_child(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and its children, since a program may be a wrapper script."""
    with contextlib.suppress(OSError):
        process.kill()
        if os.name == "posix":
            os.killpg(process.pid, KILL)


def wait_for_starts() -> None:
    """Wait until no thread is starting a child. For a process that exits immediately afterwards and leaves threads behind."""
    if _starting.acquire(timeout=_START_SECONDS):
        _starting.release()


def kill_children() -> None:
    """Kill all children without waiting for them to exit.

    For a process that exits immediately afterwards, before another thread can notice that a child has exited.
    """
    wait_for_starts()
    for child in [process.pid for process in list(_children) if process.poll() is None]:
        with contextlib.suppress(OSError):  # not `Popen.kill`, which lets other threads run
            os.kill(child, KILL)
            if os.name == "posix":
                os.killpg(child, KILL)


def ended_by(number: int) -> str:
    """The signal that ended a process, with its usual reason, such as "SIGKILL, perhaps for want of memory".

    Args:
        number: of the signal.
    """
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if name == "SIGXCPU":
        return f"{name}, since the processor time that it may use (ulimit -t) is used up"
    if name in ("SIGKILL", "SIGABRT", "SIGBUS"):
        return f"{name}, perhaps for want of memory" + ("" if limit("RLIMIT_CPU") is None else " or processor time (ulimit -t)")
    return "a segmentation fault" if name == "SIGSEGV" else name


def resident_bytes(process: int) -> int:
    """Resident memory of a process, bytes; 0 if the system does not report it as Linux does."""
    try:
        with open(f"/proc/{process}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _signal_at_end(reader: int, child: int, number: int) -> None:
    """Make the system signal a child when the other end of a pipe is closed.

    Args:
        reader: descriptor of the child's end.
        child: its process id.
        number: number of the signal.
    """
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(reader, fcntl.F_SETOWN, child)
        if hasattr(fcntl, "F_SETSIG"):
            fcntl.fcntl(reader, fcntl.F_SETSIG, number)
        fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
