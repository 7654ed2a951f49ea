"""No library talks: under a watch on system calls and in an empty home, no command connects anywhere or leaves a file behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pytest

from emodetect.backends.onnx_session import EMBEDDED
from tests.builders import PHOTO, ROOT, MovingClip
from tests.cli.desktop import open_desktop
from tests.cli.parsing import command_names
from tests.cli.running import TIMEOUT, command, environment
from tests.model_files import tutorial_model
from tests.training.data_sets import write_data_set

RUN = ROOT / "docs" / "runs" / "compact"

LONG = 30
"""Seconds for which `live` is watched: ONNX Runtime begins to talk after about ten."""

WATCH = ["-f", "--seccomp-bpf", "-qq", "-s", "100", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
"""Options of the watch. With a filter, only these system calls are stopped at, which takes a third of the time."""

COMMANDS = {
    "help": ["--help"],
    "image": ["image", "photo.jpg", "--output", "annotated.png", "--sheet", "sheet.png", "--language", "ko"],
    "image, Keras 2": ["image", "photo.jpg", "--model", "keras2.h5"],
    "image, ONNX": ["image", "photo.jpg", "--model", "model.onnx", "--format", "csv"],
    "video": ["video", "clip.mp4", "--output", "a.mp4", "--log", "a.csv", "--report", "a.html", "--plot", "a.png"],
    "live": ["live", "--source", "clip.mp4", "--loop", "--no-window", "--log", "l.jsonl", "--duration", str(LONG)],
    "live, window": ["live", "--source", "clip.mp4", "--record", "r.mp4"],
    "live, Keras": ["live", "--source", "clip.mp4", "--no-window", "--log", "k.jsonl", "--model", "model.keras", "--loop",
                    "--duration", "8"],
    "batch": ["batch", "clip.mp4", "photo.jpg", "--output", "results", "--jobs", "1"],
    "summarize": ["summarize", "log.jsonl", "--output", "summary.csv"],
    "serve": ["serve", "--port", "0"],
    "report": ["report", "log.jsonl", "--clip", "clip.mp4"],
    "bench": ["bench", "--frames", "3", "--rounds", "1"],
    "evaluate": ["evaluate", "--data", "faces/test", "--plot", "confusion.png"],
    "train": ["train", "--data", "faces", "--arch", "baseline", "--epochs", "1", "--run-dir", "run", "--output", "trained.keras"],
    "runs": ["runs", "compact"],
    "export": ["export", "model.keras", "exported.onnx"],
    "inspect": ["inspect", "model.onnx"],
    "doctor": ["doctor"],
    "cameras": ["cameras"],
    "backends": ["backends"],
    "config": ["config"],
    "completion": ["completion", "bash"],
}  # fmt: skip

API = """
import emodetect
emodetect.analyze("photo.jpg", model="model.onnx")
for _ in emodetect.stream("clip.mp4"): pass
"""


@lru_cache
def strace() -> str:
    """The program that watches system calls."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed")
    if subprocess.run([found, *WATCH, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody watch system calls (strace)")
    return found


@dataclass
class Watched:
    """A run under the watch.

    Attributes:
        folder: has the run's own home, folder for temporary files, and record of system calls.
        process: the run.
        fine: exit codes that it may have.
    """

    folder: Path
    fine: tuple[int, ...] = (0,)
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, line: list[str], current: Path, display: str | None = None) -> None:
        """Begin; nothing says where caches belong but the home."""
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(parents=True)
        hidden = {name: None for name in os.environ if re.match("XDG_|MPL|KERAS_HOME|ORT_|DEEPFACE|TEMP$|TMP$", name)}
        hidden["PYTHONDONTWRITEBYTECODE"] = None
        changes = {**hidden, "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"), "DISPLAY": display}
        watch = [strace(), *WATCH, "-o", str(self.folder / "calls")]
        self.process = subprocess.Popen(
            [*watch, *line], cwd=current, env=environment(changes), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def check(self) -> None:
        """Wait for the end, and see that nothing was connected to and nothing is left."""
        said, _ = self.process.communicate(timeout=TIMEOUT)
        assert self.process.returncode in self.fine, said.decode(errors="replace")
        calls = (self.folder / "calls").read_text(errors="replace").splitlines()
        assert [call for call in calls if re.search("AF_INET|systemd/resolve", call)] == []
        left = [path for name in ("home", "tmp") for path in (self.folder / name).rglob("*")]
        assert left == []


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory, moving_clip: MovingClip) -> Path:
    """The folder that the commands run in, with what they read."""
    folder = tmp_path_factory.mktemp("current")
    shutil.copy(PHOTO, folder / "photo.jpg")
    shutil.copy(moving_clip.path, folder / "clip.mp4")
    shutil.copy(EMBEDDED, folder / "model.onnx")
    tutorial_model().save(folder / "model.keras")
    shutil.copy(ROOT / "tests" / "data" / "models" / "tutorial.h5", folder / "keras2.h5")
    write_data_set(folder / "faces")
    shutil.copytree(RUN, folder / RUN.name, ignore=shutil.ignore_patterns("*.weights.h5"))
    (folder / "log.jsonl").write_text('{"frame": 0, "time": 0.0, "faces": []}\n{"frame": 1, "time": 0.04, "faces": []}\n')
    return folder


@pytest.fixture(scope="module")
def long_run(current: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The run that takes longest, begun before the others."""
    watched = Watched(tmp_path_factory.mktemp("live"))
    watched.start(command(*COMMANDS["live"]), current)
    yield watched
    if watched.process.poll() is None:
        watched.process.kill()
        watched.process.wait()


def test_every_command_is_watched() -> None:
    assert {line[0] for line in COMMANDS.values()} >= set(command_names())


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("live", "live, window", "serve")])
def test_a_command_connects_nowhere_and_leaves_nothing(name: str, current: Path, long_run: Watched, tmp_path: Path) -> None:
    watched = Watched(tmp_path, fine=(0, 1) if name == "doctor" else (0,))
    watched.start(command(*COMMANDS[name]), current)
    watched.check()


def test_a_server_connects_nowhere_and_leaves_nothing(current: Path, long_run: Watched, tmp_path: Path) -> None:
    watched = Watched(tmp_path, fine=(124,))  # ended by timeout
    watched.start(["timeout", "10", *command(*COMMANDS["serve"])], current)
    watched.check()


def test_a_window_connects_nowhere_and_leaves_nothing(current: Path, long_run: Watched, tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with open_desktop() as screen:
        watched.start(command(*COMMANDS["live, window"]), current, screen.name)
        watched.check()


def test_the_interface_connects_nowhere_and_leaves_nothing(current: Path, long_run: Watched, tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.start([sys.executable, "-c", API], current)
    watched.check()


def test_a_long_session_connects_nowhere_and_leaves_nothing(long_run: Watched) -> None:
    long_run.check()


def test_the_watch_sees_a_connection(current: Path, tmp_path: Path) -> None:
    """Otherwise the tests above could not fail."""
    watched = Watched(tmp_path)
    script = "import pathlib, socket; pathlib.Path.home().joinpath('left').touch(); socket.create_connection(('127.0.0.1', 9), 1)"
    watched.start([sys.executable, "-c", f"import contextlib\nwith contextlib.suppress(OSError): exec({script!r})"], current)
    with pytest.raises(AssertionError, match="AF_INET"):
        watched.check()
