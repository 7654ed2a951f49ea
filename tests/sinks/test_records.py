from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emodetect.errors import OutputError
from emodetect.sinks.records import RecordWriter, csv_rows, image_as_dict, to_dataframe
from emodetect.types import EMOTIONS, Box, Emotion, FaceReading, FrameResult
from tests.builders import make_frame, make_reading, make_result, make_scores, small_disk

COLUMNS = (
    "frame,time,id,x,y,width,height,emotion,confidence,uncertain,angry,disgust,fear,happy,sad,surprise,neutral,"  # the contract
    "angle"
)


def write_all(path: Path, *results: FrameResult) -> str:
    with RecordWriter(path, overwrite=True) as writer:
        for result in results:
            writer.write(make_frame(), result)
    return path.read_text(encoding="utf-8")


def two_faces(index: int = 3, timestamp: float = 0.12) -> FrameResult:
    return make_result(
        make_reading(Box(10, 20, 30, 40), 2, Emotion.SAD, 0.8),
        make_reading(Box(110, 120, 130, 140), 5, Emotion.SURPRISE, 0.3, uncertain=True),
        index=index,
        timestamp=timestamp,
    )


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_reading_as_the_contract_has_it(emotion: Emotion) -> None:
    result = make_reading(Box(1, 2, 3, 4), 9, emotion, 0.7).as_dict()
    assert list(result) == ["box", "emotion", "confidence", "uncertain", "scores", "angle"]
    assert result["box"] == {"x": 1, "y": 2, "width": 3, "height": 4}
    assert result["emotion"] == emotion.value
    assert type(result["emotion"]) is str
    assert result["confidence"] == pytest.approx(0.7)
    assert result["uncertain"] is False
    assert list(result["scores"]) == COLUMNS.split(",")[-8:-1]
    assert max(result["scores"], key=result["scores"].get) == emotion.value
    assert sum(result["scores"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("angle", "expected"), [(None, None), (-35.04, -35.0), (np.float32(12.34), 12.3), (180.0, 180.0)])
def test_the_angle_of_a_face_is_rounded_and_may_be_unknown(angle: float | None, expected: float | None) -> None:
    reading = replace(make_reading(), angle=angle)
    assert reading.as_dict()["angle"] == expected
    assert json.loads(json.dumps(make_result(reading).as_dict()))["faces"][0]["angle"] == expected
    [row] = csv_rows(make_result(reading).as_dict())
    assert row[-1] == expected
    assert to_dataframe(make_result(reading))["angle"].isna().tolist() == [expected is None]


def test_a_face_that_nobody_has_read_yet_has_no_emotion() -> None:
    result = FaceReading(Box(1, 2, 3, 4), 1, None).as_dict()
    assert result["emotion"] is result["confidence"] is result["scores"] is None
    assert result["uncertain"] is True


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_image_as_the_contract_has_it(count: int) -> None:
    result = image_as_dict("a.jpg", (640, 480), [make_reading() for _ in range(count)])
    assert list(result) == ["path", "width", "height", "faces"]
    assert (result["path"], result["width"], result["height"]) == ("a.jpg", 640, 480)
    assert [list(face) for face in result["faces"]] == [["box", "emotion", "confidence", "uncertain", "scores", "angle"]] * count


def test_a_frame_as_the_contract_has_it() -> None:
    result = two_faces().as_dict()
    assert list(result) == ["frame", "time", "faces"]
    assert (result["frame"], result["time"]) == (3, 0.12)
    assert [face["id"] for face in result["faces"]] == [2, 5]
    assert list(result["faces"][0]) == ["id", "box", "emotion", "confidence", "uncertain", "scores", "angle"]


def test_a_line_of_json_for_every_frame_with_and_without_faces(tmp_path: Path) -> None:
    text = write_all(tmp_path / "log.jsonl", make_result(index=0), two_faces(index=1, timestamp=0.04), make_result(index=2))
    lines = [json.loads(line) for line in text.splitlines()]
    assert text.endswith("\n")
    assert [line["frame"] for line in lines] == [0, 1, 2]
    assert [len(line["faces"]) for line in lines] == [0, 2, 0]
    assert lines[1] == two_faces(index=1, timestamp=0.04).as_dict()


def test_csv_columns_and_their_values(tmp_path: Path) -> None:
    text = write_all(tmp_path / "log.csv", make_result(index=0), two_faces())
    lines = text.splitlines()
    assert lines[0] == COLUMNS
    nobody, first, second = csv.DictReader(lines)
    assert (nobody["frame"], nobody["id"], nobody["uncertain"]) == ("0", "", "")
    expected = {"frame": "3", "time": "0.12", "id": "2", "x": "10", "y": "20", "width": "30", "height": "40"}
    assert {name: first[name] for name in expected} == expected
    assert (first["emotion"], first["uncertain"]) == ("sad", "false")
    assert (second["emotion"], second["uncertain"]) == ("surprise", "true")
    assert (second["x"], second["y"], second["width"], second["height"]) == ("110", "120", "130", "140")
    for row, scores in ((first, make_scores(Emotion.SAD, 0.8)), (second, make_scores(Emotion.SURPRISE, 0.3))):
        assert float(row["confidence"]) == pytest.approx(scores.confidence, abs=1e-6)
        for name, score in scores.as_dict().items():
            assert float(row[name]) == pytest.approx(score, abs=1e-6)


def test_csv_of_a_face_that_nobody_has_read_yet_keeps_its_columns(tmp_path: Path) -> None:
    text = write_all(tmp_path / "log.csv", make_result(FaceReading(Box(1, 2, 3, 4), 7, None), index=5, timestamp=0.2))
    assert text.splitlines()[1] == "5,0.2,7,1,2,3,4,,,true,,,,,,,,"


def test_csv_of_a_frame_without_faces_is_a_row_of_its_frame_and_time(tmp_path: Path) -> None:
    text = write_all(tmp_path / "log.csv", make_result(index=7, timestamp=0.28), two_faces(8, 0.32))
    assert text.splitlines()[1] == "7,0.28" + 16 * ","
    assert [row.split(",")[0] for row in text.splitlines()[1:]] == ["7", "8", "8"]


@pytest.mark.parametrize(("name", "expected"), [("log.csv", COLUMNS + "\n"), ("LOG.CSV", COLUMNS + "\n"), ("log.jsonl", "")])
def test_a_log_of_no_frames(tmp_path: Path, name: str, expected: str) -> None:
    assert write_all(tmp_path / name) == expected


def test_times_are_rounded_to_the_microsecond(tmp_path: Path) -> None:
    text = write_all(tmp_path / "log.jsonl", make_result(timestamp=1 / 3), make_result(timestamp=0.1 + 0.2))
    assert [json.loads(line)["time"] for line in text.splitlines()] == [0.333333, 0.3]


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_every_line_is_on_disk_as_soon_as_it_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with RecordWriter(path) as writer:
        before = path.read_text().count("\n")
        for count in (1, 2, 3):
            writer.write(make_frame(), make_result(make_reading()))
            assert path.read_text().count("\n") == before + count


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_an_older_file_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old\n" * 1000)
    assert "old" not in write_all(tmp_path / name, make_result())


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_an_older_file_is_kept_unless_it_may_be_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        RecordWriter(tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/log.jsonl", "missing/log.csv", "."])
def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot be written") as caught:
        RecordWriter(tmp_path / name, overwrite=True)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_full_disk_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    path.symlink_to("/dev/full")

    def write() -> Any:
        with RecordWriter(path) as writer:
            writer.write(make_frame(), make_result(make_reading()))

    with pytest.raises(OutputError, match="No space left"):
        write()


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "log.csv") as writer:
        writer.close()


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_full_disk_leaves_whole_lines(tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path / "disk", "size=8k") as disk:
        with pytest.raises(OutputError, match=f"{name}: cannot be written .No space left"):
            write_all(disk / name, *map(two_faces, range(1000)))
        lines = (disk / name).read_text().splitlines()
        assert len(lines) > 5
        if name.endswith(".csv"):
            assert {len(row) for row in csv.reader(lines)} == {18}
        else:
            assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_disk_that_is_read_only(tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path / "disk", "ro") as disk, pytest.raises(OutputError, match="Read-only file system"):
        RecordWriter(disk / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_deleted_file_is_noticed(tmp_path: Path, name: str) -> None:
    with RecordWriter(tmp_path / name) as writer:
        writer.write(make_frame(), two_faces())
        (tmp_path / name).unlink()
        with pytest.raises(OutputError, match=f"{name}: was deleted while it was being written"):
            writer.write(make_frame(), two_faces())


def test_a_table_has_the_columns_of_a_csv_log_and_one_row_for_each_face() -> None:
    table = to_dataframe([two_faces(), make_result(), (make_frame(), two_faces(index=4, timestamp=0.16))])
    assert ",".join(table.columns) == COLUMNS
    assert table["frame"].tolist() == [3, 3, 4, 4]
    assert table["id"].tolist() == [2, 5, 2, 5]
    assert table["emotion"].tolist() == ["sad", "surprise", "sad", "surprise"]
    assert table["uncertain"].dtype == bool
    assert table["uncertain"].tolist() == [False, True, False, True]
    assert table["sad"].tolist() == pytest.approx([0.8, two_faces().readings[1].as_dict()["scores"]["sad"]] * 2)


def test_a_table_of_one_result_and_of_none() -> None:
    assert len(to_dataframe(two_faces())) == 2
    assert to_dataframe([]).shape == (0, 18)


def test_a_face_without_scores_has_missing_values_in_a_table() -> None:
    table = to_dataframe(make_result(make_reading(), FaceReading(Box(1, 2, 3, 4), 2, None)))
    assert table["confidence"].isna().tolist() == [False, True]
    assert table["emotion"].isna().tolist() == [False, True]
    assert table["happy"].dtype == float


@pytest.mark.parametrize("results", [5, [5], [(1, 2)], [make_reading()], "ab"])
def test_a_table_of_something_else(results: Any) -> None:
    with pytest.raises(TypeError, match=r"expected (a FrameResult|results), got"):
        to_dataframe(results)


def test_a_table_without_pandas_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_dataframe needs pandas: .*install pandas"):
        to_dataframe(two_faces())
