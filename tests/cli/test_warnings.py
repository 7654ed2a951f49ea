"""No warning of Python's is raised by our own code and by what the embedded network needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import PHOTO, MovingClip
from tests.cli.running import TIMEOUT, environment


@pytest.mark.parametrize("name", ["image", "video", "live"])
def test_the_embedded_path_raises_no_warning(name: str, moving_clip: MovingClip, tmp_path: Path) -> None:
    arguments: dict[str, list[str | Path]] = {
        "image": ["image", PHOTO, "--output", tmp_path / "a.png"],
        "video": ["video", moving_clip.path, "--output", tmp_path / "a.mp4", "--log", tmp_path / "a.csv"],
        "live": ["live", "--source", moving_clip.path, "--no-window", "--duration", "2", "--log", tmp_path / "a.jsonl"],
    }
    line = [sys.executable, "-W", "error", "-m", "emodetect", *map(str, arguments[name])]

    done = subprocess.run(line, env=environment({"DISPLAY": None}), capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert done.returncode == 0, done.stderr
    # What is found while the interpreter ends, a file left open for one, cannot raise and is printed.
    assert "Warning" not in done.stderr
