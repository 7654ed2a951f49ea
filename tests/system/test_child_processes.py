from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emodetect.system.child_processes import kill_children, run_child, start_child
from tests.cli.running import TIMEOUT, environment, is_running
from tests.waiting import wait_until

if not Path("/proc/self/fd").is_dir():
    pytest.skip("there is no /proc here", allow_module_level=True)

WAITING = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"]

DEAF = [
    sys.executable,
    "-c",
    "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]; print('ready', flush=True); time.sleep(600)",
]
"""A program that obeys no request to end."""


def has_ended(process: int) -> bool:
    return not is_running(process)


@contextmanager
def parent(how_it_ends: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a deaf child that was started by a thread that is gone; it ends by this piece of Python."""
    script = f"""
import ctypes, os, signal, subprocess, sys, threading, time
from emodetect.system.child_processes import kill_children, start_child

def start():
    global child
    child = start_child({DEAF!r}, stdout=subprocess.PIPE)

thread = threading.Thread(target=start)
thread.start()
thread.join()
child.stdout.readline()
print(child.pid, flush=True)
{how_it_ends}
"""
    with subprocess.Popen([sys.executable, "-c", script], env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT]
)
def test_a_child_ends_with_a_parent_that_is_killed(number: signal.Signals) -> None:
    with parent("time.sleep(600)") as (process, child):
        assert is_running(child)  # though the thread that started it is gone
        process.send_signal(number)
        assert process.wait(TIMEOUT) == -number
        wait_until(lambda: not is_running(child), "the child's end")


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "sys.exit(0)", "ctypes.string_at(0)", "raise RuntimeError", "os.execv('/bin/true', ['true'])"]
)
def test_a_child_ends_with_a_parent_that_ends_by_itself(end: str) -> None:
    with parent(end) as (process, child):
        process.wait(TIMEOUT)
        wait_until(lambda: not is_running(child), "the child's end")


def test_a_child_may_be_asked_to_finish(tmp_path: Path) -> None:
    """As FFmpeg is, which then writes what it still holds."""
    target = tmp_path / "finished"
    body = f"import pathlib, signal, time; signal.signal(15, lambda *_: (pathlib.Path({str(target)!r}).touch(), exit()))"
    script = f"""
import os, signal, subprocess, sys
from emodetect.system.child_processes import start_child
child = start_child([sys.executable, "-c", {body + "; print(flush=True); time.sleep(600)"!r}],
                    stdout=subprocess.PIPE, last_signal=signal.SIGTERM)
child.stdout.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], env=environment(), check=False, timeout=TIMEOUT)
    wait_until(target.exists, "what the child writes at its end")


def test_no_child_outlives_a_process_that_exits_while_a_thread_starts_it() -> None:
    script = f"""
import os, subprocess, threading, time
from emodetect.system import child_processes

def slowly(reader, child, number):
    print(child, flush=True)
    time.sleep(0.5)
    signal_at_end(reader, child, number)

signal_at_end, child_processes._signal_at_end = child_processes._signal_at_end, slowly
start = lambda: child_processes.start_child({DEAF!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
threading.Thread(target=start, daemon=True).start()
while not child_processes._starting.locked():
    time.sleep(0.001)
child_processes.wait_for_starts()
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    wait_until(functools.partial(has_ended, int(done.stdout)), "the end of the child")


def test_all_children_are_killed_at_once() -> None:
    children = [start_child(line, stdout=subprocess.PIPE) for line in (WAITING, DEAF)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    waiting = threading.Thread(target=children[0].wait)  # as a thread does that finishes a video
    waiting.start()
    kill_children()
    waiting.join(TIMEOUT)
    for child in children:
        assert child.wait(TIMEOUT) == -signal.SIGKILL
        assert child.stdout is not None
        child.stdout.close()


def test_a_child_keeps_nothing_open_once_it_is_gone() -> None:
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(5):
        assert run_child([sys.executable, "-S", "-c", "print('said')"]).stdout == b"said\n"
    assert set(os.listdir("/proc/self/fd")) <= before


def test_what_takes_too_long_is_killed_with_what_it_has_started() -> None:
    script = f"sleep 600 & echo $! >&3; exec 3>&-; exec {sys.executable} -c 'import time; time.sleep(600)'"
    reader, writer = os.pipe()
    with open(reader, "rb") as said:
        with pytest.raises(subprocess.TimeoutExpired):
            run_child(
                ["bash", "-c", script.replace("&3", f"&{writer}").replace("3>", f"{writer}>")], seconds=1, descriptors=(writer,)
            )
        os.close(writer)
        grandchild = int(said.readline())
    wait_until(lambda: not is_running(grandchild), "the end of what the child started")
