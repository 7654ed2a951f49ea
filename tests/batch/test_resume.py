"""What a batch is resumed with: the models it was started with, whatever folder it is resumed in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from emodetect.faces.cascade import default_cascade
from tests.builders import PHOTO
from tests.cli.running import assert_one_line, run
from tests.onnx_files import save_means

MODELS = ("--model", "model.onnx", "--cascade", "cascade.xml", "--detector", "haar")


def rows(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (results / "readings.jsonl").read_text().splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a photo, a model and a cascade."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(PHOTO, folder / "photo.jpg")
    shutil.copy(default_cascade(), folder / "cascade.xml")
    save_means(folder / "model.onnx")
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another folder."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


@pytest.fixture
def killed(home: Path, tmp_path: Path) -> Path:
    """The results of a batch that was killed before it had read anything, and was started with names relative to its folder."""
    results = tmp_path / "results"
    done = run("batch", "photo.jpg", "--output", results, *MODELS, cwd=home)
    assert done.returncode == 0, done.stderr
    for path in (results / "readings.jsonl", *(results / "parts").iterdir()):
        path.unlink()
    return results


def test_relative_models_are_found_in_another_folder(killed: Path, elsewhere: Path) -> None:
    save_means(elsewhere / "model.onnx", axes=(1,), shape=("n", 7, 48, 48))
    done = run("batch", "--resume", killed, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert len(rows(killed)) == 1


def test_a_model_may_be_named_otherwise_and_is_known_by_its_content(killed: Path, home: Path, elsewhere: Path) -> None:
    moved = (home / "model.onnx").rename(elsewhere / "model.onnx")
    assert_one_line(run("batch", "--resume", killed), 1, f"{home / 'model.onnx'}: no such model file")
    assert run("batch", "--resume", killed, "--model", "model.onnx", cwd=elsewhere).returncode == 0
    moved.write_bytes(moved.read_bytes() + b"\0")
    refused = run("batch", "--resume", killed, "--model", moved)
    assert_one_line(refused, 2, "the batch has other settings", "the model file emotions was")


def test_a_cascade_that_is_gone_is_told(killed: Path, home: Path) -> None:
    (home / "cascade.xml").unlink()
    assert_one_line(run("batch", "--resume", killed), 1, f"{home / 'cascade.xml'}: No such file")
