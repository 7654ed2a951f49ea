"""Which inputs names stand for, and what a shard's share of them is."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from emodetect.batch.inputs import Input, Shard, read_list
from emodetect.batch.listing import find_inputs
from emodetect.errors import UsageError
from tests.builders import PHOTO


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with photos, clips and other files in it and below it."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a/c.JPG", "a/deep/d.png", "a/e.mp4", "a/notes.txt", "a/.hidden.jpg", "odd[1].jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def found(*named: str) -> list[tuple[str, str]]:
    return [(one.path, one.kind) for one in find_inputs(named).inputs]


def test_a_folder_stands_for_all_photos_and_clips_below_it(folder: Path) -> None:
    assert found("a") == [("a/c.JPG", "photo"), ("a/deep/d.png", "photo"), ("a/e.mp4", "clip")]
    assert dict(find_inputs(["a"]).left_out) == {(".txt file", ".txt files"): 1, ("hidden file", "hidden files"): 1}


@pytest.mark.usefixtures("folder")
def test_patterns_names_and_folders_are_listed_once_by_path() -> None:
    assert found("./b.jpg", "a/*.mp4", "b.jpg", "a/**/*.png") == [
        ("a/deep/d.png", "photo"),
        ("a/e.mp4", "clip"),
        ("b.jpg", "photo"),
    ]
    assert found("odd[1].jpg") == [("odd[1].jpg", "photo")]


def test_other_files_that_a_pattern_matches_are_counted_as_in_a_folder(folder: Path) -> None:
    for name in ("a/README", "a/x.heic"):
        (folder / name).write_bytes(b"")
    assert find_inputs(["a/*"]).left_out == find_inputs(["a"]).left_out - Counter({("hidden file", "hidden files"): 1})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "problem"),
    [("none.jpg", None), ("empty", "is a folder without photos and clips"), ("x*.jpg", "no photo or clip has such a name")],
)
def test_what_is_not_there_is_an_input_that_fails(name: str, problem: str | None) -> None:
    os.mkdir("empty")
    [one] = find_inputs([name]).inputs
    assert (one.path, one.size, one.problem) == (name, -1, problem)


def test_a_link_to_the_same_file_is_a_name_of_its_own_and_one_that_leads_back_is_not_followed(folder: Path) -> None:
    (folder / "a" / "link.jpg").symlink_to(folder / "b.jpg")
    (folder / "a" / "loop").symlink_to(folder / "a", target_is_directory=True)
    assert ("a/link.jpg", "photo") in found("a")
    assert len(found("a")) == 4


def test_an_animated_gif_is_a_clip_and_a_still_one_a_photo(tmp_path: Path) -> None:
    pictures = [Image.new("L", (32, 32), shade) for shade in (0, 90, 180)]
    pictures[0].save(tmp_path / "still.gif")
    pictures[0].save(tmp_path / "moving.gif", save_all=True, append_images=pictures[1:])
    listing = find_inputs([str(tmp_path)])
    assert [one.kind for one in listing.inputs] == ["clip", "photo"]
    assert listing.animations == 1


def test_a_file_whose_name_does_not_tell_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    shutil.copy(PHOTO, tmp_path / "picture")
    (tmp_path / "other").write_bytes(b"no picture")
    assert [one.kind for one in find_inputs([str(tmp_path / "picture"), str(tmp_path / "other")]).inputs] == ["clip", "photo"]


@pytest.mark.parametrize("content", [b"a.jpg\r\n\n b c.jpg\n", b"a.jpg\n b c.jpg", b"a.jpg\0 b c.jpg\0"])
def test_a_list_has_a_name_per_line_or_is_separated_by_nul(content: bytes) -> None:
    assert read_list(content) == read_list(b"\xef\xbb\xbf" + content) == ["a.jpg", " b c.jpg"]


def test_names_that_are_no_text_come_through() -> None:
    assert os.fsencode(read_list(b"caf\xe9.jpg\n")[0]) == b"caf\xe9.jpg"


def sizes(shards: Sequence[list[Input]]) -> list[int]:
    return [sum(one.size for one in shard) for shard in shards]


def test_shards_have_each_input_once_and_as_much_to_do() -> None:
    inputs = [Input(f"{number:02}.mp4", "clip", 1000 - 7 * number) for number in range(50)]
    shards = [Shard(number, 8).select(inputs) for number in range(1, 9)]
    assert sorted(one.path for shard in shards for one in shard) == [one.path for one in inputs]
    assert max(sizes(shards)) - min(sizes(shards)) <= 1000
    assert all(shard == sorted(shard, key=lambda one: one.path) for shard in shards)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "", "1/9999999"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a shard"):
        Shard.parse(text)


def test_folders_of_shards_sort_by_their_number() -> None:
    assert [Shard.parse(text).folder for text in ("3/16", "1/1")] == ["shard-03-of-16", "shard-1-of-1"]
