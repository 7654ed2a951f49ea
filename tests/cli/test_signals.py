from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from emodetect.cli import main as program
from emodetect.cli.signals import Terminated
from tests.builders import make_image, write_clip
from tests.cli.running import TIMEOUT, command, environment

# A program whose outputs take long to close, at its start, in a step of Python and in a native call that never returns.
ORDERLY = "try: ready(); time.sleep(60)\nfinally: time.sleep(60)"
STUCK = """
lock, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
while True:
    try:
        ready()
        while True: libc.pthread_mutex_lock(lock)
    except KeyboardInterrupt: pass  # it came before the call
"""


def start(script: str) -> subprocess.Popen[str]:
    head = "import ctypes, os, time; from emodetect.cli.signals import handle_signals; handle_signals()"
    whole = f"{head}\ndef ready(): print('ready', flush=True)\n{script}"
    process = subprocess.Popen(
        [sys.executable, "-c", whole], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("script", [ORDERLY, STUCK], ids=["closing", "stuck"])
def test_the_second_signal_ends_the_process_at_once(script: str, second: signal.Signals, code: int) -> None:
    with start(script) as process:
        try:
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None
            errors = leave(process, second)
        finally:
            process.kill()

    assert process.returncode == code
    assert "Traceback" not in errors


def test_a_closed_terminal_says_so_twice() -> None:
    """The system and the shell do; the second time is not a person who wants it to leave at once."""
    with start(
        "try: ready(); time.sleep(60)\nexcept BaseException as error: time.sleep(1); print('orderly', error.exit_code)"
    ) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.4)
        process.send_signal(signal.SIGHUP)
        output, errors = process.communicate(timeout=TIMEOUT)

    assert (process.returncode, output, errors) == (0, "orderly 129\n", "")


def leave(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Ask again until it is gone, as a person would; returns what it said. A slow machine may take the first for an echo."""
    for _ in range(40):
        process.send_signal(number)
        try:
            return process.communicate(timeout=1)[1]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it goes on")


def test_the_echo_of_a_signal_is_no_second_one() -> None:
    took = math.inf
    while took > 0.1:  # a loaded machine may send it too late for an echo
        with start("try: ready(); time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(1); print('orderly')") as process:
            began = time.monotonic()
            for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
                process.send_signal(number)
                time.sleep(0.01)
            took = time.monotonic() - began
            output, errors = process.communicate(timeout=TIMEOUT)

    assert (process.returncode, output, errors) == (0, "orderly\n", "")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Files that are no pictures: each one is a line."""
    paths = [tmp_path / f"{index:03}.jpg" for index in range(300)]
    for path in paths:
        path.write_text("no picture")
    return paths


@pytest.mark.parametrize("redirection", ["2>/dev/null | head -1", "2>&1 | head -1", "2>&1 >/dev/null | head -1"])
def test_a_reader_that_has_seen_enough(pictures: list[Path], redirection: str, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    line = f'exec 3>"{errors}"; "$@" {redirection}; echo "${{PIPESTATUS[0]}}" >&3'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *command("image", *pictures)],
        env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert errors.read_text() == "1\n"


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-", "2>&-"])
def test_closed_standard_streams_cost_no_output(tmp_path: Path, closed: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [make_image()] * 3)
    log = tmp_path / "log.csv"

    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *command("video", clip, "--log", log)],
        env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(log.read_text().splitlines()) == 4, "a header, and a row for each frame"


def test_an_ignored_interrupt_stays_ignored() -> None:
    script = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    body = (
        "import os, signal, time; from emodetect.cli.signals import handle_signals; handle_signals()\n"
        "for _ in range(2): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.4)\n"
        "print('still here')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, sys.executable, "-c", body],
        env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip

    assert done.stdout == "still here\n"


def test_a_signal_while_a_lock_is_acquired_again_is_a_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The condition then releases a lock that it does not hold, which is an error of its own."""
    condition = threading.Condition()

    def wait(**_: object) -> None:
        with condition:
            condition.wait(0.01)

    monkeypatch.setattr(condition, "_acquire_restore", Mock(side_effect=Terminated(signal.SIGTERM)))
    monkeypatch.setattr(program, "cli", Mock(main=wait))
    monkeypatch.setattr(program, "handle_signals", lambda: None)
    assert program._run() == 143
    assert capsys.readouterr().err == ""
