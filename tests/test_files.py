from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from emodetect.errors import OutputError
from emodetect.files import check_output, free_name, open_output, written_whole


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
    with pytest.raises(OutputError, match="--overwrite"):
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
    reader.join(timeout=60)

    assert read == [b"a line\n"]
    assert pipe.is_fifo()


def test_what_appeared_after_the_check_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    check_output(path, overwrite=False)
    path.write_text("precious")

    with pytest.raises(OutputError, match="exists already"):
        open_output(path, overwrite=False)
    with pytest.raises(OutputError, match="exists already"), written_whole(path, overwrite=False) as partial:
        partial.write_text("new")

    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


class TestWrittenWhole:
    def test_it_stands_under_its_name_only_once_it_is_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "picture.png"
        with written_whole(path) as partial:
            assert partial.parent == tmp_path
            assert partial.suffix == ".png"
            partial.write_text("half")
            assert not path.exists()
            partial.write_text("whole")

        assert path.read_text() == "whole"
        assert list(tmp_path.iterdir()) == [path]

    def test_it_gets_the_usual_permissions(self, tmp_path: Path) -> None:
        (tmp_path / "usual").touch()
        with written_whole(tmp_path / "ours") as partial:
            partial.touch()

        assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_leaves_what_was_there_before(self, tmp_path: Path, error: type[BaseException]) -> None:
        path = tmp_path / "model.onnx"
        path.write_text("old")

        def fail() -> None:
            with written_whole(path) as partial:
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

        with written_whole(link) as partial:
            partial.write_text("new")

        assert (tmp_path / "precious").read_text() == "precious"
        assert not link.is_symlink()
        assert link.read_text() == "new"

    def test_a_long_name_leaves_room_for_the_temporary_one(self, tmp_path: Path) -> None:
        path = tmp_path / ("n" * 250 + ".png")
        with written_whole(path) as partial:
            partial.write_text("x")
        assert path.exists()

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot be written"), written_whole(tmp_path / "missing" / "out.png") as partial:
            partial.write_text("x")


def test_a_free_name_is_the_name_itself_or_the_first_number_that_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.b.png"
    assert free_name(path) == path
    path.touch()
    (tmp_path / "a.b-2.png").symlink_to("nowhere")
    assert free_name(path) == tmp_path / "a.b-3.png"
