from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emodetect.errors import OutputError
from emodetect.system.output_files import (
    Inputs,
    Output,
    append_all,
    atomic_write,
    check_output,
    check_outputs,
    check_still_there,
    open_output,
    remove_if_empty,
    reserve_name,
)
from tests.builders import small_disk


@pytest.mark.parametrize("suffixes", [(), (".jsonl", ".csv")])
@pytest.mark.parametrize("name", ["out.csv", "OUT.CSV"])
def test_a_new_file_is_fine_and_is_not_made_yet(tmp_path: Path, name: str, suffixes: tuple[str, ...]) -> None:
    check_output(tmp_path / name, overwrite=False, suffixes=suffixes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.txt", "out", "csv", ".csv", "out.csv.gz"])
def test_an_ending_that_says_nothing_is_refused_with_those_that_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.jsonl, \.csv") as caught:
        check_output(tmp_path / name, overwrite=True, suffixes=(".jsonl", ".csv"))
    assert name in str(caught.value)


def test_any_ending_goes_where_none_is_asked_for(tmp_path: Path) -> None:
    check_output(tmp_path / "out.anything", overwrite=False)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out.csv"
    folder.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(folder, overwrite=True, suffixes=(".csv",))


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist") as caught:
        check_output(tmp_path / "missing" / "out.csv", overwrite=False)
    assert str(tmp_path / "missing") in str(caught.value)


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("precious")
    with pytest.raises(OutputError, match="`overwrite`"):
        check_output(path, overwrite=False)
    check_output(path, overwrite=True)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["precious.csv", "nowhere.csv"])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, target: str, overwrite: bool) -> None:
    (tmp_path / "precious.csv").write_text("precious")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / target)

    with pytest.raises(OutputError, match="symbolic link"):
        check_output(link, overwrite=overwrite, streams=True)
    with pytest.raises(OutputError):
        open_output(link, overwrite=overwrite)
    assert (tmp_path / "precious.csv").read_text() == "precious"
    assert not (tmp_path / "nowhere.csv").exists()


def test_a_pipe_is_an_output_only_where_it_makes_sense(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)

    check_output(pipe, overwrite=False, suffixes=(".csv",), streams=True)
    with pytest.raises(OutputError, match="not a file"):
        check_output(pipe, overwrite=True, suffixes=(".csv",))


def test_a_device_is_written_to_and_stays_one() -> None:
    device = Path(os.devnull)
    check_output(device, overwrite=False, suffixes=(".csv",), streams=True)

    os.close(open_output(device, overwrite=False))

    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()

    with open(open_output(pipe, overwrite=False), "wb") as file:
        file.write(b"a line\n")
    reader.join(timeout=180)

    assert read == [b"a line\n"]
    assert pipe.is_fifo()


def test_what_appeared_after_the_check_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    check_output(path, overwrite=False)
    path.write_text("precious")

    with pytest.raises(OutputError, match="exists already"):
        open_output(path, overwrite=False)
    with pytest.raises(OutputError, match="exists already"), atomic_write(path, overwrite=False) as partial:
        partial.write_text("new")

    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


class TestAtomicWrite:
    def test_it_has_its_name_only_once_it_is_complete(self, tmp_path: Path) -> None:
        path = tmp_path / "picture.png"
        with atomic_write(path) as partial:
            assert partial.parent == tmp_path
            assert partial.suffix == ".png"
            partial.write_text("half")
            assert not path.exists()
            partial.write_text("whole")

        assert path.read_text() == "whole"
        assert list(tmp_path.iterdir()) == [path]

    def test_it_gets_the_usual_permissions(self, tmp_path: Path) -> None:
        (tmp_path / "usual").touch()
        with atomic_write(tmp_path / "ours") as partial:
            partial.touch()

        assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode

    @pytest.mark.parametrize("rights", [0o600, 0o440, 0o664], ids=oct)
    def test_it_gets_the_rights_of_what_it_replaces(self, tmp_path: Path, rights: int) -> None:
        path = tmp_path / "ours"
        path.write_text("old")
        path.chmod(rights)
        with atomic_write(path) as partial:
            partial.write_text("new")
            assert stat.S_IMODE(partial.stat().st_mode) & 0o077 & ~rights == 0, "nor can others read it before"

        assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", rights)

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_leaves_what_was_there_before(self, tmp_path: Path, error: type[BaseException]) -> None:
        path = tmp_path / "model.onnx"
        path.write_text("old")

        def fail() -> None:
            with atomic_write(path) as partial:
                partial.write_text("half")
                raise error

        with pytest.raises(error):
            fail()

        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_text("precious")
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "precious")

        with atomic_write(link) as partial:
            partial.write_text("new")

        assert (tmp_path / "precious").read_text() == "precious"
        assert not link.is_symlink()
        assert link.read_text() == "new"

    def test_a_long_name_leaves_room_for_the_temporary_one(self, tmp_path: Path) -> None:
        path = tmp_path / ("n" * 250 + ".png")
        with atomic_write(path) as partial:
            partial.write_text("x")
        assert path.exists()

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot be written"), atomic_write(tmp_path / "missing" / "out.png") as partial:
            partial.write_text("x")


class TestReserveName:
    def test_it_is_the_name_itself_or_the_first_number_that_is_free(self, tmp_path: Path) -> None:
        path = tmp_path / "a.b.png"
        assert reserve_name(path) == path
        assert path.stat().st_size == 0
        (tmp_path / "a.b-2.png").symlink_to("nowhere")
        assert reserve_name(path) == tmp_path / "a.b-3.png"

    def test_no_two_threads_get_the_same(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as threads:
            names = list(threads.map(reserve_name, [tmp_path / "a.mp4"] * 24))
        assert len(set(names)) == 24

    def test_a_folder_that_is_missing_is_told_by_what_writes_there(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "a.mp4"
        assert reserve_name(path) == path
        assert not path.parent.exists()

    def test_what_cannot_be_reserved_is_nobody_elses(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", "nr_inodes=3") as disk:
            (disk / "a.mp4").write_text("mine")
            (disk / "full").touch()
            assert reserve_name(disk / "a.mp4") == disk / "a-2.mp4"
            assert not (disk / "a-2.mp4").exists()

    def test_only_empty_files_are_removed(self, tmp_path: Path) -> None:
        empty, full = tmp_path / "a", tmp_path / "b"
        empty.touch()
        full.write_text("mine")
        assert [remove_if_empty(path) for path in (empty, full, tmp_path / "c")] == [True, False, False]
        assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_other_names_of_a_file_that_is_replaced_keep_its_content(tmp_path: Path) -> None:
    path, backup = tmp_path / "log.jsonl", tmp_path / "backup.jsonl"
    path.write_text("old")
    path.chmod(0o640)
    backup.hardlink_to(path)
    descriptor = open_output(path, overwrite=True)
    append_all(descriptor, b"new")
    with pytest.raises(OutputError, match="is being written by another run"):
        open_output(path, overwrite=True)
    os.close(descriptor)
    assert (path.read_text(), backup.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", "old", 0o640)


class TestOneWriter:
    def test_a_second_one_is_refused_and_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "log.jsonl"
        first = open_output(path, overwrite=False)
        os.write(first, b"a line\n")

        with pytest.raises(OutputError, match="is being written by another run"):
            open_output(path, overwrite=True)
        with pytest.raises(OutputError, match="is being written by another run"):
            check_output(path, overwrite=True)
        assert path.read_text() == "a line\n"

        os.close(first)
        os.close(open_output(path, overwrite=True))
        assert path.read_text() == ""

    def test_the_lock_goes_with_the_process(self, tmp_path: Path) -> None:
        path = tmp_path / "log.jsonl"
        held = "import sys, time; from pathlib import Path; from emodetect.system.output_files import open_output\n"
        held += "open_output(Path(sys.argv[1]), overwrite=True); print('held', flush=True); time.sleep(600)"
        with subprocess.Popen([sys.executable, "-c", held, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            with pytest.raises(OutputError, match="is being written by another run"):
                open_output(path, overwrite=True)
            process.kill()
        os.close(open_output(path, overwrite=True))

    def test_a_pipe_may_have_several(self, tmp_path: Path) -> None:
        for _ in range(2):
            os.close(open_output(Path(os.devnull), overwrite=True))

    @pytest.mark.parametrize(
        ("take", "message"),
        [
            (lambda path: path.unlink(), "was deleted while it was being written"),
            (lambda path: path.rename(path.with_suffix(".old")), "was moved away while it was being written"),
            (lambda path: path.with_suffix(".new").replace(path), "another file has its name now"),
            (lambda path: (path.unlink(), path.symlink_to(path.with_suffix(".new"))), "another file has its name now"),
        ],
    )
    def test_a_file_that_loses_its_name_is_noticed(self, tmp_path: Path, take: Callable[[Path], object], message: str) -> None:
        path = tmp_path / "log.jsonl"
        path.with_suffix(".new").write_text("a newcomer")
        descriptor = open_output(path, overwrite=False)
        check_still_there(path, descriptor)
        take(path)
        with pytest.raises(OutputError, match=message):
            check_still_there(path, descriptor)
        os.close(descriptor)


class TestInputs:
    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        path = tmp_path / "clip.mp4"
        path.write_text("a clip")
        return path

    @pytest.mark.parametrize("way", ["itself", "spelled otherwise", "hard link", "linked folder", "input by a link"])
    def test_no_name_or_link_leads_to_one(self, tmp_path: Path, clip: Path, way: str) -> None:
        named, output = clip, clip
        if way == "spelled otherwise":
            output = tmp_path / "folder" / ".." / "clip.mp4"
            (tmp_path / "folder").mkdir()
        elif way == "hard link":
            output = tmp_path / "other.mp4"
            output.hardlink_to(clip)
        elif way == "linked folder":
            (tmp_path / "folder").symlink_to(tmp_path)
            output = tmp_path / "folder" / "clip.mp4"
        elif way == "input by a link":
            named = tmp_path / "link.mp4"
            named.symlink_to(clip)
        inputs = Inputs([(named, "the clip itself")])
        with pytest.raises(OutputError, match="is the clip itself; choose another name"):
            check_outputs([Output(output)], inputs, overwrite=True)
        check_outputs([Output(tmp_path / "new.mp4")], inputs, overwrite=True)

    def test_a_picture_in_a_folder_that_is_read_is_one(self, tmp_path: Path) -> None:
        faces = tmp_path / "data" / "happy"
        faces.mkdir(parents=True)
        (faces / "loop").symlink_to(tmp_path / "data")
        (faces / "1.png").write_text("a face")
        inputs = Inputs([(tmp_path / "data", "read (--data)")])
        with pytest.raises(OutputError, match=r"is in read \(--data\)"):
            check_outputs([Output(faces / "1.png")], inputs, overwrite=True)
        check_outputs([Output(faces / "2.png")], inputs, overwrite=True)
        (tmp_path / "data" / "model.keras").write_text("an older model")
        check_outputs([Output(tmp_path / "data" / "model.keras")], inputs, overwrite=True)


@pytest.mark.parametrize("way", ["same name", "spelled otherwise", "linked folder", "hard link"])
def test_two_outputs_are_two_files(tmp_path: Path, way: str) -> None:
    first = second = tmp_path / "out.csv"
    if way == "spelled otherwise":
        second = tmp_path / ".." / tmp_path.name / "out.csv"
    elif way == "linked folder":
        (tmp_path / "folder").symlink_to(tmp_path)
        second = tmp_path / "folder" / "out.csv"
    elif way == "hard link":
        second = tmp_path / "other.csv"
        first.touch()
        second.hardlink_to(first)
    with pytest.raises(OutputError, match="is named for another output, too"):
        check_outputs([Output(first), Output(second)], Inputs([]), overwrite=True)
    check_outputs([Output(first), Output(tmp_path / "Out.csv")], Inputs([]), overwrite=True)
    device = Output(Path(os.devnull), streams=True)
    check_outputs([device, device], Inputs([]), overwrite=False)


def test_a_file_that_may_not_be_replaced_gets_its_name_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with atomic_write(path, overwrite=False) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert path.stat().st_nlink == 1
    assert list(tmp_path.iterdir()) == [path]


def test_data_that_finds_no_room_is_taken_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        descriptor = open_output(disk / "rows.csv", overwrite=False)
        append_all(descriptor, b"a row\n")
        with pytest.raises(OSError, match="No space left"):
            append_all(descriptor, bytes(2**20))
        append_all(descriptor, b"another\n")
        os.close(descriptor)
        assert (disk / "rows.csv").read_text() == "a row\nanother\n"
