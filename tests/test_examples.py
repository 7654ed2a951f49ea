from __future__ import annotations

import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient

import emodetect
from tests.builders import PHOTO, ROOT, MovingClip
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


def test_photos_by_http_from_several_threads() -> None:
    app = runpy.run_path(str(ROOT / "examples" / "web_service.py"))["app"]
    photo = PHOTO.read_bytes()
    with TestClient(app) as client, ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(lambda _: client.post("/faces", content=photo).json(), range(12))]
        refused = client.post("/faces", content=b"no photo")

    assert answers == 12 * [[face.as_dict() for face in emodetect.analyze(PHOTO).readings]]
    assert answers[0][0]["emotion"] == "happy"
    assert refused.status_code == 400
    assert "not an image" in refused.json()["detail"]


def test_a_clip_through_the_python_interface(moving_clip: MovingClip) -> None:
    lines = run_example("smile_times.py", str(moving_clip.path)).splitlines()

    assert lines
    assert lines[0].endswith("face 1 smiles")
