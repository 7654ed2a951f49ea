from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from emodetect.errors import SourceError
from emodetect.sources.image_tree import in_words, list_images, special_kind


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_every_kind_of_picture_is_listed_also_in_sub_folders(tmp_path: Path) -> None:
    names = ["a.png", "b.JPG", "c.jpeg", "d.webp", "e.bmp", "f.tif", "g.TIFF", "h.gif", "i.avif", "p1/1.png", "p1/x/2.png"]
    touch(tmp_path, *names)
    tree = list_images(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in tree.images] == names
    assert not tree.left_out


def test_what_is_left_out_is_counted_by_kind(tmp_path: Path) -> None:
    hidden = ["._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "p/._b.png", "__MACOSX/p/._c.png", "@eaDir/a.png", ".git/x.png"]
    touch(tmp_path, "a.png", *hidden, "notes.txt", "p/list.txt", "photo.HEIC", "README")
    assert in_words(list_images(tmp_path).left_out) == (
        "8 hidden files, 2 .txt files, 1 file without an ending, 1 .heic picture (not read here; export as JPEG)"
    )
    assert "7 hidden files, 1 file without an ending, 1 .txt file" in in_words(list_images(tmp_path, sub_folders=False).left_out)


def test_many_kinds_are_summed_up(tmp_path: Path) -> None:
    touch(tmp_path, *(f"f.{letter}" for letter in "abcdefghijk"))
    assert in_words(list_images(tmp_path).left_out).endswith(".h file, 3 files of other kinds")


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to(os.devnull)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        os.chdir(tmp_path)  # the names of sockets are short
        try:
            server.bind("socket.png")
        finally:
            os.chdir(before)
        tree = list_images(tmp_path)
        assert special_kind(tmp_path / "socket.png") == "socket"
    assert tree.images == []
    assert dict(tree.left_out) == {
        ("named pipe", "named pipes"): 1,
        ("device", "devices"): 1,
        ("socket", "sockets"): 1,
        ("link to nowhere", "links to nowhere"): 2,
    }


def test_links_are_followed_and_their_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "set/a.png", "elsewhere/b.png", "elsewhere/p/c.png")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    for number in range(20):  # each of them doubles what a walk without memory would do
        (tmp_path / "elsewhere" / f"up{number}").symlink_to(tmp_path / "set")
        (tmp_path / "elsewhere" / "p" / f"again{number}").symlink_to(tmp_path / "elsewhere")
    tree = list_images(tmp_path / "set")
    assert [path.name for path in tree.images] == ["a.png", "b.png", "c.png"]
    assert in_words(tree.left_out) == "40 links to folders that are read elsewhere"


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone: cannot be read \(No such file or directory\)"):
        list_images(tmp_path / "gone")


def test_a_link_leads_to_no_folder_above_and_to_none_apart(tmp_path: Path) -> None:
    happy, sad = tmp_path / "happy", tmp_path / "sad"
    for folder in (happy, sad):
        folder.mkdir()
        (folder / "a.png").touch()
    (happy / "up").symlink_to("..")
    (happy / "over").symlink_to(sad)

    tree = list_images(happy, apart=[happy, sad])

    assert tree.images == [happy / "a.png"]
    assert in_words(tree.left_out) == "2 links to folders that are read elsewhere"
