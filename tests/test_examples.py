from __future__ import annotations

import subprocess
import sys

from tests.builders import ROOT, MovingClip
from tests.cli.running import environment


def run_example(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_photo_through_the_python_interface() -> None:
    assert "happy" in run_example("analyze_photo.py")


def test_a_clip_through_the_python_interface(moving_clip: MovingClip) -> None:
    lines = run_example("smile_times.py", str(moving_clip.path)).splitlines()

    assert lines
    assert lines[0].endswith("face 1 smiles")
