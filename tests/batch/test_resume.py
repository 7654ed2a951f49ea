"""Resumed batches: the models they were started with, whatever the folder, and the failed inputs that are read again."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from emodetect.batch.listing import find_inputs
from emodetect.batch.run import Run
from emodetect.batch.settings import BatchSettings
from emodetect.faces.cascade import default_cascade
from emodetect.settings.batch import BATCH
from emodetect.settings.pipeline import CLIPS, PHOTOS
from tests.builders import PHOTO
from tests.cli.running import assert_one_line, run
from tests.onnx_files import save_means

SETTINGS = BatchSettings(PHOTOS, CLIPS)

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


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of photos, relative to the current folder: one that can be read, and two that cannot."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTO, "good.jpg")
    Path("broken.jpg").write_bytes(b"no photo")
    Path("empty.gif").write_bytes(b"")
    return ["good.jpg", "broken.jpg", "empty.gif"]


def start(folder: Path, named: list[str]) -> Run:
    return Run.create(folder, find_inputs(named), SETTINGS, named=named, arguments=[], results=BATCH.format)


def states(run: Run) -> dict[str, str]:
    """Read what there is to read; the states of all inputs then."""
    with run:
        run.read(BATCH, on_progress=lambda totals: None, note=lambda path, line: None)
        return {entry.path: entry.state for entry in run.manifest.entries}


def test_what_was_missing_or_broken_is_read_once_it_can_be(photos: list[str], elsewhere: Path) -> None:
    results = elsewhere / "results"
    begun = start(results, ["gone.jpg", *photos])
    removed = Path("good.jpg").read_bytes()
    Path("good.jpg").unlink()
    assert set(states(begun).values()) == {"failed"}

    Path("good.jpg").write_bytes(removed)
    Path("broken.jpg").write_bytes(removed)
    shutil.copy(PHOTO, "gone.jpg")
    pictures = [Image.new("L", (32, 32), shade) for shade in (0, 90, 180)]
    pictures[0].save("empty.gif", save_all=True, append_images=pictures[1:])
    os.chdir(elsewhere)  # names are relative to where the batch was started
    assert set(states(Run.resume(results, SETTINGS)).values()) == {"done"}
    assert {row["path"]: row["frame"] for row in rows(results)} == {"broken.jpg": 0, "empty.gif": 2, "gone.jpg": 0, "good.jpg": 0}


def test_nothing_is_read_again_without_a_cause(photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results"
    before = states(start(results, [*photos, "gone.jpg", "none*.jpg"]))
    assert before["good.jpg"] == "done"
    files = [results / "readings.jsonl", results / "failures.csv"]
    contents = [file.read_bytes() for file in files]
    shutil.copy("broken.jpg", "good.jpg")  # what was read keeps its readings
    monkeypatch.setattr(Run, "_engine", lambda *_: pytest.fail("something is read again"))
    assert states(Run.resume(results, SETTINGS)) == before
    assert [file.read_bytes() for file in files] == contents


def test_a_file_of_this_machine_by_its_address_is_read_again_too(photos: list[str], tmp_path: Path) -> None:
    named = [*photos, *(f"file://{tmp_path / name}" for name in ("broken.jpg", "gone.jpg"))]
    results = tmp_path / "results"
    states(start(results, named))
    shutil.copy("good.jpg", "broken.jpg")
    shutil.copy("good.jpg", "gone.jpg")
    found = states(Run.resume(results, SETTINGS))
    assert {name for name, state in found.items() if state == "failed"} == {"empty.gif"}


def test_all_formats_have_the_readings_of_inputs_that_are_read_again(photos: list[str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    states(start(results, photos))
    shutil.copy("good.jpg", "broken.jpg")
    with Run.resume(results, SETTINGS) as resumed:
        resumed.read(replace(BATCH, format="csv"), on_progress=lambda totals: None, note=lambda path, line: None)
    assert [row["path"] for row in rows(results)] == ["broken.jpg", "good.jpg"]
    assert len((results / "readings.csv").read_text().splitlines()) == 3


def test_options_of_the_original_run_are_named_where_the_command_lacks_them(tmp_path: Path) -> None:
    arguments = ("batch", PHOTO, "--resume", tmp_path / "r", "--jobs", "1")
    chosen = "--model", "fer2013", "--no-verify"
    for given, named in (
        (chosen, ""),
        (chosen, ""),
        (("--model", "fer2013"), "--no-verify"),
        ((), "--model=fer2013 and --no-verify"),
    ):
        done = run(*arguments, *given)
        assert done.returncode == 0
        expected = f"emodetect: {tmp_path / 'r'}: continues with {named}, as it was started" if named else ""
        assert [line for line in done.stderr.splitlines() if "continues" in line] == [expected] * bool(named)
