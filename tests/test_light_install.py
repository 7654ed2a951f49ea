"""The light installation, in an environment of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import ROOT, MovingClip, made_once

LIGHT = ROOT / "requirements" / "light.txt"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The virtual environment of a light installation."""

    def make(folder: Path) -> None:
        venv.create(folder / "env", with_pip=True)
        source = folder / "source"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".*_cache", "__pycache__"))
        for arguments in (["-r", str(LIGHT)], ["--no-deps", str(source)]):
            install(folder / "env", folder / "env", *arguments)

    return made_once(tmp_path_factory, "light", make) / "env"


@pytest.fixture(scope="module")
def light(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command of a light installation, in an empty folder."""
    return runner(environment, tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def opencv5(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command with OpenCV 5 and the other packages of the light installation, in an empty folder."""

    def make(folder: Path) -> None:
        venv.create(folder / "env", with_pip=False)
        install(environment, folder / "env", "--no-deps", "opencv-python==5.0.0.93")
        [packages], [shared] = (list(each.glob("lib/python*/site-packages")) for each in (folder / "env", environment))
        (packages / "shared.pth").write_text(f"{shared}\n")

    return runner(made_once(tmp_path_factory, "opencv5", make) / "env", tmp_path_factory.mktemp("empty"))


def install(pip: Path, environment: Path, *arguments: str) -> None:
    """Install packages into an environment, by the pip of an environment."""
    command = [str(pip / "bin" / "python"), "-m", "pip", "--python", str(environment / "bin" / "python")]
    done = subprocess.run([*command, "install", "-q", "--no-compile", *arguments], capture_output=True, text=True)
    if "No matching distribution" in done.stderr:
        pytest.skip("there is no package index")
    assert done.returncode == 0, done.stderr


def runner(environment: Path, folder: Path) -> Run:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(environment / "bin" / "python"), "-m", "emodetect", *map(str, arguments)]
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
    models = ROOT / "tests" / "data" / "models"
    log = tmp_path / "log.jsonl"
    assert light("image", photo, "--log", log).returncode == 0
    for arguments, cure in (
        (["image", photo, "--backend", "deepface"], 'install "deepface>='),
        (["image", photo, "--model", models / "tutorial.h5"], "install 'tensorflow<"),
        (["image", photo, "--model", models / "tutorial.keras"], "install 'tensorflow<"),
        (["image", photo, "--model", models / "imagenet.onnx"], "install 'onnx>="),
        (["train", "--data", tmp_path, "--run-dir", tmp_path / "run"], "install 'tensorflow<"),
        (["summarize", log, "--plot", tmp_path / "shares.pdf"], "install 'matplotlib>="),
        (["batch", photo, "--output", tmp_path / "results", "--format", "parquet"], "install 'pyarrow>="),
        (["serve"], "install 'fastapi>="),
    ):
        done = light(*arguments)
        assert done.returncode != 0
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert cure in done.stderr, done.stderr


def test_with_opencv_5_the_network_alone_finds_faces_and_one_line_says_so(
    opencv5: Run, moving_clip: MovingClip, tmp_path: Path
) -> None:
    photo, log = ROOT / "examples" / "astronaut.jpg", tmp_path / "log.jsonl"
    note = re.compile(r"OpenCV 5\.\S+ has no cascade classifier")
    done = opencv5("image", photo, "--format", "json", "--output", tmp_path / "a.jpg")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)[0]["faces"]) == 1
    assert len(note.findall(done.stderr)) == 1, done.stderr
    done = opencv5("image", photo, "--detector", "blazeface")
    assert (done.returncode, note.findall(done.stderr)) == (0, []), done.stderr
    done = opencv5("video", moving_clip.path, "--log", log, "--output", tmp_path / "a.mp4", "--anonymize", "blur")
    assert done.returncode == 0, done.stderr
    assert len(note.findall(done.stderr)) == 2, done.stderr  # the other one is about the faces to hide
    assert all(len(json.loads(line)["faces"]) == 1 for line in log.read_text().splitlines())
    done = opencv5("doctor", "--headless")
    assert "has no cascade classifier: the network alone finds faces" in done.stdout, done.stdout


def test_with_opencv_5_the_cascade_is_refused_with_its_cure(opencv5: Run) -> None:
    done = opencv5("image", ROOT / "examples" / "astronaut.jpg", "--detector", "haar")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "has no cascade classifier; --detector blazeface needs none, or " in done.stderr, done.stderr
