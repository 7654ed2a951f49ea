from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from emodetect.system.temporary_folders import scratch_file, scratch_folder, sweep
from tests.cli.running import TIMEOUT, environment, is_running
from tests.waiting import wait_until

OWNER = """
import time
from emodetect.system.temporary_folders import scratch_folder
with scratch_folder() as folder:
    (folder / "clip.mp4").write_text("faces")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_a_folder_is_gone_afterwards(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "clip.mp4").write_text("faces")
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o77 == 0
    assert list(temporary.iterdir()) == []


def test_the_next_start_removes_what_a_killed_process_has_left(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        sweep()
        assert (left / "clip.mp4").exists()  # its owner lives
        process.kill()
        process.wait(TIMEOUT)
    assert (left / "clip.mp4").exists()
    with scratch_folder():
        assert not left.exists()


def test_nothing_else_is_removed(temporary: Path) -> None:
    (temporary / "emodetect-mine").mkdir()
    (temporary / "emodetect-mine" / "notes.txt").touch()
    outside = temporary.parent / "outside"
    outside.mkdir()
    (outside / ".emodetect-owner").touch()
    (temporary / "emodetect-link").symlink_to(outside)
    os.mkfifo(temporary / "emodetect-pipe")
    piped = temporary / "emodetect-piped"
    piped.mkdir()
    os.mkfifo(piped / ".emodetect-owner")
    sweep()
    assert (temporary / "emodetect-mine" / "notes.txt").exists()
    assert (outside / ".emodetect-owner").exists()
    assert piped.exists()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files in memory")
def test_a_file_is_on_no_disk(temporary: Path) -> None:
    with scratch_file("copy.mp4") as file:
        script = f"open({str(file.path)!r}, 'wb').write(b'faces')"
        subprocess.run([sys.executable, "-c", script], check=True, pass_fds=file.descriptors)
        assert file.read() == b"faces"
        assert list(temporary.iterdir()) == []
    assert not file.path.exists()


def test_where_there_are_no_files_in_memory(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with scratch_file("copy.mp4") as file:
        assert file.read() == b""
        file.path.write_bytes(b"faces")
        assert file.read() == b"faces"
        assert temporary in file.path.parents
    assert list(temporary.iterdir()) == []


def test_a_second_signal_removes_the_folder_and_ends_what_was_started(temporary: Path) -> None:
    script = """
import subprocess, sys, time
from emodetect.system.child_processes import start_child
from emodetect.cli.signals import handle_signals
from emodetect.system.temporary_folders import scratch_folder
handle_signals()
with scratch_folder() as folder:
    child = start_child([sys.executable, "-c", "import time; time.sleep(600)"])
    try: print(child.pid, flush=True); time.sleep(600)
    finally: print("closing", flush=True); child.wait()
"""
    with subprocess.Popen([sys.executable, "-c", script], env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "closing\n"
        assert process.poll() is None
        while process.poll() is None:  # the first ones may count as an echo
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(0.3)
            except subprocess.TimeoutExpired:
                continue
    assert process.returncode == 143
    wait_until(lambda: not is_running(child), "the child's end")
    assert list(temporary.iterdir()) == []
