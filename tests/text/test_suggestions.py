from __future__ import annotations

from pathlib import Path

import pytest

from emodetect.text.suggestions import command_for, did_you_mean, did_you_mean_file, suggest_other_command


@pytest.mark.parametrize(
    ("name", "meant"),
    [("depface", "; did you mean 'deepface'?"), ("CNN", "; did you mean 'cnn'?"), ("tensorboard", ""), ("", "")],
)
def test_a_near_name_is_proposed_and_a_far_one_is_not(name: str, meant: str) -> None:
    assert did_you_mean(name, ["cnn", "deepface"]) == meant


def test_a_file_beside_the_wrong_one_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "Holiday.JPG").touch()
    (tmp_path / "other.txt").touch()

    assert did_you_mean_file(tmp_path / "holidy.jpg") == "; did you mean 'Holiday.JPG'?"
    assert did_you_mean_file(tmp_path / "clip.mp4") == ""


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert did_you_mean_file(tmp_path / "nowhere" / "a.jpg") == f"; the folder {tmp_path / 'nowhere'} does not exist"


def test_what_stands_where_a_folder_should_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert did_you_mean_file(tmp_path / "file" / "a.jpg") == ""


@pytest.mark.parametrize(
    ("name", "command"),
    [("a.JPG", "image"), ("a.mp4", "video"), ("a.b.jsonl", "report"), ("a.txt", None), ("a", None), ("song.mp3", None)],
)
def test_a_files_ending_tells_the_command(name: str, command: str | None) -> None:
    assert command_for(name) == command


def test_the_right_command_is_named() -> None:
    assert suggest_other_command(Path("a/b.mp4"), "image") == "; clips are for 'emodetect video'"
    assert suggest_other_command(Path("a/b.mp4"), "video") == ""
    assert suggest_other_command(Path("b.txt"), "image") == ""
