from __future__ import annotations

from pathlib import Path

import pytest

from emodetect.errors import SourceError
from emodetect.summary.participants import Participants
from emodetect.summary.table import COLUMNS


def table(folder: Path, text: str) -> Participants:
    path = folder / "people.csv"
    path.write_text(text, encoding="utf-8")
    return Participants(path, COLUMNS)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "marked"])
def test_columns_are_joined_by_the_name_of_the_file(tmp_path: Path, separator: str, start: str) -> None:
    text = "id,file,age,group,weight\r\n007,s01.mp4,31,a,60.5\r\n008,s02.mp4,-4,=b,\r\n"
    people = table(tmp_path, start + text.replace(",", separator))

    assert people.columns == ["id", "age", "group", "weight"]
    assert people.columns_for("logs/s01.jsonl", 1) == {"id": "007", "age": 31, "group": "a", "weight": 60.5}
    assert people.columns_for("logs/s02.jsonl", 1) == {"id": "008", "age": -4, "group": "=b", "weight": None}
    assert [people.kind(name) for name in people.columns] == [str, int, str, float]
    assert people.warnings() == []


@pytest.mark.parametrize("name", ["s01/call.jsonl", "s01/call.mp4", "s01/call", "logs\\s01\\call.mp4", "./s01/call", "call"])
def test_the_name_may_be_written_in_many_ways(tmp_path: Path, name: str) -> None:
    assert table(tmp_path, f"file,age\n{name},31\n").columns_for("logs/s01/call.jsonl", 1) == {"age": 31}


def test_the_best_fit_counts(tmp_path: Path) -> None:
    """The whole name before one without ending, and more of the path before less."""
    people = table(tmp_path, "file,n\ncall,1\na/call,2\ncall.jsonl,3\na/call.v2,4\n")

    assert people.columns_for("a/call.mp4", 1) == {"n": 2}
    assert people.columns_for("b/call.jsonl", 1) == {"n": 3}
    assert people.columns_for("b/call.wav", 1) == {"n": 1}
    assert people.columns_for("a/call.v2.mp4", 1) == {"n": 4}


def test_letters_are_the_same_however_they_are_composed(tmp_path: Path) -> None:
    assert table(tmp_path, "file,n\nJose\u0301.mp4,1\n").columns_for("Jos\u00e9.jsonl", 1) == {"n": 1}


def test_a_row_may_be_about_one_person_of_a_file(tmp_path: Path) -> None:
    people = table(tmp_path, "clip,person,role\na,1,mother\na,2.0,child\nb,,crowd\n")

    assert [people.columns_for("a.csv", person) for person in (1, 2, 3)] == [
        {"role": "mother"},
        {"role": "child"},
        {"role": None},
    ]
    assert people.columns_for("b.csv", 7) == {"role": "crowd"}
    assert people.warnings() == [f"{tmp_path / 'people.csv'}: no row for a.csv, person 3"]


def test_without_a_known_name_the_first_column_has_the_files(tmp_path: Path) -> None:
    assert table(tmp_path, "Session,Age\ns1,4\n").columns_for("s1.jsonl", None) == {"Age": 4}


def test_what_has_no_counterpart_is_said_for_both_sides(tmp_path: Path) -> None:
    people = table(tmp_path, "file,age\na,1\nb,2\nc,3\n")
    for name in ("a.csv", "x.csv", "a.csv", "x.csv"):
        people.columns_for(name, 1)
    assert people.columns_for("x.csv", 1) == {"age": None}
    path = tmp_path / "people.csv"
    assert people.warnings() == [f"{path}: no row for x.csv", f"{path}: no input for b; c"]


def test_what_is_ambiguous_is_an_error(tmp_path: Path) -> None:
    people = table(tmp_path, "file,age\ncall,1\nx.wav,2\nx.mp4,3\n")
    people.columns_for("s1/call.csv", 1)
    with pytest.raises(SourceError, match=r"call may be s1/call.csv or s2/call.csv; write more of the path"):
        people.columns_for("s2/call.csv", 1)
    with pytest.raises(SourceError, match=r"x.mp4 and x.wav fit x.csv alike"):
        people.columns_for("x.csv", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a row of column names"),
        ("file,age\n", "expected a row of column names"),
        ("file,age\na\n", "row 2: expected 2 cells, got 1"),
        ("file,age\n,3\n", "row 2: the name of the file is missing"),
        ("file,age\na,3\nb,3\na,4\n", "row 4: a is on an earlier row"),
        ("file,share\na,3\n", "has a column 'share' of its own"),
        ("file,age,age\na,3,4\n", "two columns have the same name"),
    ],
)
def test_what_is_no_table_of_participants(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        table(tmp_path, text)


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        Participants(tmp_path / "none.csv", COLUMNS)
    (tmp_path / "latin.csv").write_bytes("file,name\na,Jos\u00e9\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"latin.csv: is not UTF-8"):
        Participants(tmp_path / "latin.csv", COLUMNS)
