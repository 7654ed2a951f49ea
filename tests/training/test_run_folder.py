"""Whose files a run may take away: its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emodetect.errors import OutputError
from emodetect.training.hyperparameters import Settings
from emodetect.training.run_folder import RunFolder

SETTINGS = Settings(data="data", votes=None, architecture="baseline", epochs=1)
USERS = ("log.csv", "summary.txt", "test.json", "versions.json", "tensorboard/precious", "notes.txt", "settings.json")


def begun(path: Path) -> RunFolder:
    """A run that has written settings, versions, a log and an events file."""
    folder = RunFolder(path)
    with folder.locked():
        folder.start(overwrite=False)
        folder.save_settings(SETTINGS)
        folder.save_versions("tensorflow")
        folder.claim(folder.log).write_text("epoch\n")
        folder.claim(folder.events)
        with folder.new_events():
            folder.events.mkdir()
            (folder.events / "events.out.tfevents.1").write_text("ours")
    return folder


def contents(path: Path) -> dict[str, str]:
    return {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", USERS)
def test_a_folder_with_other_things_is_refused_and_stays_as_it_is(tmp_path: Path, name: str, overwrite: bool) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    with pytest.raises(OutputError, match="holds other files"):
        RunFolder(tmp_path).start(overwrite=overwrite)
    assert contents(tmp_path) == {name: "{}"}


@pytest.mark.parametrize("hidden", [[], [".gitkeep", ".DS_Store"]])
def test_an_empty_folder_is_fine(tmp_path: Path, hidden: list[str]) -> None:
    for name in hidden:
        (tmp_path / name).touch()
    RunFolder(tmp_path / "new").start(overwrite=False)
    RunFolder(tmp_path).start(overwrite=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(hidden)


def test_a_run_is_replaced_only_where_that_is_asked_for_and_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    (folder.path / "notes.txt").write_text("mine")
    (folder.events / "precious").write_text("mine")
    with pytest.raises(OutputError, match="holds a run already"):
        folder.start(overwrite=False)
    assert len(contents(folder.path)) == 6

    folder.start(overwrite=True)
    assert sorted(contents(folder.path)) == ["notes.txt", "settings.json", "tensorboard/precious"]
    folder.save_settings(SETTINGS)
    folder.claim(folder.events)
    assert json.loads(folder.settings.read_text())["files"] == ["settings.json", "tensorboard"]


@pytest.mark.parametrize("name", ["curves.png", "best.keras"])
def test_what_has_the_name_of_a_runs_file_but_is_not_its_own_is_never_replaced(tmp_path: Path, name: str) -> None:
    folder = begun(tmp_path / "run")
    (folder.path / name).write_text("mine")
    for act in (lambda: folder.start(overwrite=True), folder.resume, lambda: folder.claim(folder.path / name)):
        with pytest.raises(OutputError, match=rf"{name}.* was not written by this run"):
            act()
    assert contents(folder.path)[name] == "mine"


def test_a_list_that_somebody_else_has_made_leads_to_no_other_file(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    outside = tmp_path / "precious"
    outside.write_text("mine")
    names = ["settings.json", "../precious", str(outside), "tensorboard/../../precious", "sub/x", "log.csv"]
    names += ["versions.json", "tensorboard"]
    SETTINGS.save(folder.path, names)
    folder.start(overwrite=True)
    assert outside.read_text() == "mine"


def test_a_run_of_before_there_was_a_list_goes_on_and_starts_again(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    values = json.loads(folder.settings.read_text())
    del values["files"], values["format"]
    folder.settings.write_text(json.dumps(values))
    folder.resume()
    folder.start(overwrite=True)
    assert sorted(contents(folder.path)) == ["settings.json"]


def test_a_resumed_run_takes_away_what_a_crash_has_left_half_written(tmp_path: Path) -> None:
    folder = begun(tmp_path / "run")
    (folder.path / ".emodetect-0011aabb.partial.npz").touch()
    (folder.path / ".emodetect-0011aabb.partial.onnx").touch()
    folder.resume()
    assert [file.name for file in folder.path.glob(".*")] == [".emodetect-0011aabb.partial.onnx"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(OutputError, match="another run is going on"), RunFolder(folder.path).locked():
        pass
    with RunFolder(folder.path).locked():
        pass
