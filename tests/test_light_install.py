"""The light installation, in an environment of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import ROOT, MovingClip

LIGHT = ROOT / "requirements" / "light.txt"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command of a light installation, in an empty folder."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder / "env", with_pip=False)
    python, source = folder / "env" / "bin" / "python", folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".*_cache", "__pycache__"))
    install = [sys.executable, "-m", "pip", f"--python={python}", "install", "-q", "--no-compile"]
    for arguments in (["-r", str(LIGHT)], ["--no-deps", str(source)]):
        done = subprocess.run([*install, *arguments], capture_output=True, text=True)
        if "No matching distribution" in done.stderr:
            pytest.skip("there is no package index")
        assert done.returncode == 0, done.stderr

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", "emodetect", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)

    return run


def test_its_requirements_are_those_of_the_package() -> None:
    listed = {line for line in LIGHT.read_text().splitlines() if line and not line.startswith("#")}
    whole = set(re.findall(r'^    "(.+)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert listed <= whole


def test_every_command_that_needs_no_more_runs(light: Run, moving_clip: MovingClip, tmp_path: Path) -> None:
    log, page = tmp_path / "log.jsonl", tmp_path / "page.html"
    for arguments in (
        ["image", ROOT / "examples" / "astronaut.jpg", "--output", tmp_path / "a.jpg", "--language", "ko"],
        ["video", moving_clip.path, "--log", log, "--report", page, "--output", tmp_path / "a.mp4"],
        ["live", "--source", moving_clip.path, "--no-window", "--log", tmp_path / "live.jsonl"],
        ["report", log, "--output", tmp_path / "b.html"],
        ["batch", moving_clip.path, ROOT / "examples" / "astronaut.jpg", "--output", tmp_path / "results"],
        ["summarize", tmp_path / "results", "--output", tmp_path / "summary.csv"],
        ["bench", "--source", moving_clip.path, "--frames", "12", "--rounds", "1", "--verbose"],
        ["backends"],
        ["doctor", "--headless"],
    ):
        done = light(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert any(json.loads(line)["faces"] for line in log.read_text().splitlines())


def test_what_is_missing_is_named_with_its_cure(light: Run, tmp_path: Path) -> None:
    photo = ROOT / "examples" / "astronaut.jpg"
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    for arguments, package in (
        (["image", photo, "--backend", "deepface"], "deepface"),
        (["image", photo, "--model", tmp_path / "m.h5"], "keras"),
        (["train", "--data", tmp_path, "--run-dir", tmp_path / "run"], "keras"),
    ):
        done = light(*arguments)
        assert done.returncode != 0
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert package in done.stderr, done.stderr
