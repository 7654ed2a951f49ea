from __future__ import annotations

from pathlib import Path

import pytest
from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.sinks.base import Sink, check_output
from emodetect.types import Frame, FrameResult


class Counting(Sink):
    def __init__(self) -> None:
        self.closed = 0

    @override
    def write(self, frame: Frame, result: FrameResult) -> None: ...

    @override
    def close(self) -> None:
        self.closed += 1


def test_a_sink_is_closed_at_the_end_of_its_block() -> None:
    with Counting() as sink:
        assert sink.closed == 0
    assert sink.closed == 1


def test_a_sink_is_closed_when_its_block_fails() -> None:
    sink = Counting()
    with pytest.raises(KeyboardInterrupt), sink:
        raise KeyboardInterrupt
    assert sink.closed == 1


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
