"""Files of others in the folder of the results, which a batch leaves alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emodetect.batch.listing import find_inputs
from emodetect.batch.parts import FOLDER
from emodetect.batch.run import Run, clear, merge
from emodetect.batch.settings import BatchSettings
from emodetect.errors import OutputError, UsageError
from emodetect.settings.batch import BATCH, Format
from emodetect.settings.pipeline import CLIPS, PHOTOS
from emodetect.system.output_files import PARTIAL_PREFIX
from tests.builders import PHOTO
from tests.cli.running import assert_one_line, run

SETTINGS = BatchSettings(PHOTOS, CLIPS)

PARTS = f"clip-{'a' * 64}.jsonl", "photos-000001.jsonl", "photos-1000000.jsonl"

OTHERS = "clip-notes.jsonl", f"clip-{'A' * 64}.jsonl", "photos-2024.jsonl", "photos-summer.jsonl"


def start(folder: Path) -> Run:
    return Run.create(folder, find_inputs([str(PHOTO)]), SETTINGS, named=[str(PHOTO)], arguments=[], results=BATCH.format)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """``parts/`` with parts of an earlier batch and files of others."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in (*PARTS, *OTHERS):
        (folder / name).write_text("{}\n")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_batch_removes_the_parts_of_an_earlier_one_and_no_other_files(tmp_path: Path, parts: Path) -> None:
    start(tmp_path).close()
    assert names(parts) == sorted(OTHERS)


def test_overwrite_removes_the_parts_of_a_batch_and_no_other_files(tmp_path: Path, parts: Path) -> None:
    clear(tmp_path)
    assert names(parts) == sorted(OTHERS)


def test_a_resumed_batch_removes_no_other_files(tmp_path: Path, parts: Path) -> None:
    start(tmp_path).close()
    (parts / "photos-000009.jsonl").write_text("{}\n")
    Run.resume(tmp_path, SETTINGS).close()
    assert names(parts) == sorted(OTHERS)


def finish(run: Run, name: Format = "jsonl", *, overwrite: bool = False) -> None:
    with run:
        options = replace(BATCH, format=name)
        run.read(options, on_progress=lambda totals: None, note=lambda path, line: None, overwrite=overwrite)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a finished batch."""
    folder = tmp_path_factory.mktemp("done")
    finish(start(folder))
    return folder


@pytest.fixture
def results(done: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return shutil.copytree(done, tmp_path / "results")


def test_another_format_does_not_overwrite_a_file_of_others(results: Path) -> None:
    mine = results / "readings.csv"
    mine.write_text("mine")
    with pytest.raises(OutputError, match=r"readings\.csv: exists already") as caught:
        finish(Run.resume(results, SETTINGS), "csv")
    assert caught.value.hint == "`overwrite` replaces it"
    assert mine.read_text() == "mine"
    finish(Run.resume(results, SETTINGS), "jsonl")
    finish(Run.resume(results, SETTINGS), "csv", overwrite=True)
    assert mine.read_text().startswith("path,")
    mine.write_text("")
    finish(Run.resume(results, SETTINGS), "csv")
    assert mine.read_text().startswith("path,")


def test_readings_whose_run_was_killed_before_its_end_are_its_own(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("emodetect.batch.run._write_facts", kill)
        with pytest.raises(KeyboardInterrupt):
            finish(Run.resume(results, SETTINGS), "csv")
    assert (results / "readings.csv").exists()
    (results / "run.json").unlink()
    finish(Run.resume(results, SETTINGS), "csv")
    finish(Run.resume(results, SETTINGS), "jsonl")
    assert (results / "run.json").exists()


def kill(*arguments: object, **named: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def shards(done: Path, tmp_path: Path) -> Path:
    """A folder with the only shard of a finished batch."""
    shard = shutil.copytree(done, tmp_path / "shards" / "shard-1-of-1")
    manifest = shard / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"shard": null', '"shard": "1/1"'))
    return shard.parent


@pytest.mark.parametrize("name", ["readings.csv", "failures.csv", "run.json"])
def test_a_merge_does_not_overwrite_a_file_of_others(shards: Path, name: str) -> None:
    (shards / name).write_text("mine")
    with pytest.raises(OutputError, match=f"{name}: exists already") as caught:
        merge(shards, "csv")
    assert caught.value.hint == "`overwrite` replaces it"
    assert [path.name for path in shards.iterdir() if path.is_file()] == [name]
    assert (shards / name).read_text() == "mine"
    merge(shards, "csv", overwrite=True)
    merge(shards, "csv")
    assert (shards / "readings.csv").read_text().startswith("path,")


def test_a_second_merge_replaces_the_first_and_no_other_files(shards: Path) -> None:
    merge(shards, None)
    (shards / "readings.jsonl").write_text("")
    merge(shards, None)
    assert (shards / "readings.jsonl").read_text()
    (shards / "readings.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"readings\.csv: exists already"):
        merge(shards, "csv")
    (shards / "readings.csv").unlink()
    merge(shards, "csv")
    merge(shards, "jsonl")
    merge(shards, "csv")


def test_a_merge_that_was_killed_is_repeated(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("emodetect.batch.results.csv.writer", kill)  # after the readings, before the failures
        with pytest.raises(KeyboardInterrupt):
            merge(shards, "jsonl")
    assert (shards / "readings.jsonl").exists()
    assert not (shards / "failures.csv").exists()
    merge(shards, "jsonl")
    assert (shards / "failures.csv").exists()


def test_the_results_of_another_batch_are_not_merged_over(shards: Path) -> None:
    merge(shards, None)
    manifest = shards / "shard-1-of-1" / "manifest.jsonl"
    header, *entries = manifest.read_text().splitlines()
    manifest.write_text("\n".join([json.dumps({**json.loads(header), "listing": "f" * 64}), *entries, ""]))
    with pytest.raises(OutputError, match=r"run\.json: exists already"):
        merge(shards, None)


def test_shards_beside_a_batch_are_not_merged_over_it(shards: Path) -> None:
    start(shards).close()
    with pytest.raises(OutputError, match="contains a batch besides the shards"):
        merge(shards, None, overwrite=True)


def test_a_shard_is_not_merged_twice(shards: Path) -> None:
    shutil.copytree(shards / "shard-1-of-1", shards / "shard-01-of-1")
    with pytest.raises(UsageError, match="contains shard 1 more than once"):
        merge(shards, None)


def test_links_and_folders_among_the_parts_are_left_alone(tmp_path: Path) -> None:
    start(tmp_path).close()
    (tmp_path / FOLDER / "link").symlink_to("nowhere")
    others = [
        tmp_path / FOLDER / "photos-000009.jsonl",
        tmp_path / FOLDER / f"{PARTIAL_PREFIX}x",
        tmp_path / f"{PARTIAL_PREFIX}y",
    ]
    for folder in others:
        folder.mkdir()
    Run.resume(tmp_path, SETTINGS).close()
    clear(tmp_path)
    assert all(folder.is_dir() for folder in others)
    assert (tmp_path / FOLDER / "link").is_symlink()


@pytest.mark.parametrize("option", ["--model", "--cascade"])
def test_a_wrong_model_is_refused_before_a_batch_is_removed(option: str, tmp_path: Path) -> None:
    results, wrong = tmp_path / "results", tmp_path / ("wrong.onnx" if option == "--model" else "wrong.xml")
    assert run("batch", PHOTO, "--output", results, "--jobs", "1").returncode == 0
    before = {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}
    for content in (None, b"x"):
        if content is not None:
            wrong.write_bytes(content)
        detector = ("--detector", "haar") if option == "--cascade" else ()
        done = run("batch", PHOTO, "--output", results, "--overwrite", option, wrong, *detector)
        assert_one_line(done, 1, wrong.name)
        assert {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()} == before


def test_a_new_batch_that_cannot_read_leaves_no_manifest(tmp_path: Path) -> None:
    results, model = tmp_path / "results", tmp_path / "model.onnx"
    model.write_bytes(b"x")
    arguments = ("batch", PHOTO, "--output", results, "--jobs", "1")
    assert_one_line(run(*arguments, "--model", model), 1, model.name)
    assert [*results.iterdir()] == []
    done = run(*arguments)
    assert done.returncode == 0, done.stderr


def test_a_damaged_run_file_does_not_stop_a_merge(shards: Path) -> None:
    for content in (b"[" * 100_000, b"\xff", b"[]", b'{"merged": 5}'):
        (shards / "run.json").write_bytes(content)
        with pytest.raises(OutputError, match=r"run\.json: exists already"):
            merge(shards, None)
        merge(shards, None, overwrite=True)
