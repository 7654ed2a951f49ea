from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emodetect.batch.rows import lines, with_path
from emodetect.errors import SourceError
from emodetect.sinks.records import CSV_COLUMNS, PHOTO_CSV_COLUMNS, RecordWriter, as_csv
from emodetect.sources.result_log import read_entries, read_log
from emodetect.text.printable import counted
from emodetect.types import Box, Emotion, FaceReading, FrameResult
from tests.builders import make_frame, make_reading, make_result


def results() -> list[FrameResult]:
    return [
        make_result(index=4, timestamp=0.16),
        make_result(
            replace(make_reading(Box(1, 2, 3, 4), 7, Emotion.FEAR, 0.4, uncertain=True), angle=-12.5),
            FaceReading(Box(5, 6, 7, 8), 9, None),
            index=5, timestamp=0.2,
        ),
    ]  # fmt: skip


def written(path: Path, *frames: FrameResult) -> Path:
    with RecordWriter(path) as writer:
        for result in frames or results():
            writer.write(make_frame(), result)
    return path


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv", "LOG.CSV"])
def test_what_was_written_is_read_again(tmp_path: Path, name: str) -> None:
    assert [result.as_dict() for result in read_log(written(tmp_path / name))] == [r.as_dict() for r in results()]


def test_a_log_of_an_older_version_has_no_angles(tmp_path: Path) -> None:
    record = results()[1].as_dict()
    for face in record["faces"]:
        del face["angle"]
    (tmp_path / "log.jsonl").write_text(json.dumps(record) + "\n")
    [result] = read_log(tmp_path / "log.jsonl")
    assert [reading.angle for reading in result.readings] == [None, None]


def line(**changes: Any) -> str:
    return json.dumps({**results()[1].as_dict(), **changes}) + "\n"


FACE: dict[str, Any] = results()[1].as_dict()["faces"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "holds no frame", id="empty"),
        pytest.param("hello\n", "line 1: not a frame", id="text"),
        pytest.param(
            "[1]\n", r"line 1: not a frame of an emodetect log \(expected an object with frame, time and faces\)", id="list"
        ),
        pytest.param(line()[:40], "line 1: not a frame", id="only a part of a line"),
        pytest.param(line() + line()[:40] + "\n", "line 2: not a frame", id="a part of a line and a whole one's end"),
        pytest.param(
            line() + "{}", r"line 2: not a frame of an emodetect log \(it has no 'time'\)", id="another object at the end"
        ),
        pytest.param(line() + line(), "line 2: .*not after", id="time stands still"),
        pytest.param(line(time=float("nan")), "line 1: .*no number of seconds", id="no number"),
        pytest.param(line(time=1e308), "line 1: .*no number of seconds", id="a time beyond all"),
        pytest.param(line(time="1"), "line 1: .*expected a time in seconds", id="a time in quotes"),
        pytest.param(line(time=True), "line 1: .*expected a time in seconds", id="a time that is true"),
        pytest.param(line(time=10**400), "line 1: not a frame", id="a time of 400 digits"),
        pytest.param(line(frame=1e308), "line 1: .*whole number", id="a frame beyond all"),
        pytest.param(line(frame=2**60), "line 1: .*whole number", id="a frame that no clip has"),
        pytest.param(line(frame=True), "line 1: .*whole number", id="a frame that is true"),
        pytest.param('{"frame": ' + 5000 * "9" + "}", "line 1: not a frame", id="a frame of 5000 digits"),
        pytest.param(" " * 2**22 + line(), "line 1: .*longer than 4,194,304 bytes", id="a line without end"),
        pytest.param(line(frame="<script>"), "line 1: .*whole number", id="frame"),
        pytest.param(line(faces=[{"id": 1}]), "line 1: not a frame", id="face"),
        pytest.param(line(faces=[{**FACE, "angle": "5"}]), "line 1: .*expected an angle", id="an angle in quotes"),
        pytest.param(line(faces=[{**FACE, "angle": True}]), "line 1: .*expected an angle", id="an angle that is true"),
        pytest.param(line(faces=[{**FACE, "angle": 181}]), "line 1: .*expected an angle", id="an angle beyond the circle"),
        pytest.param(line(faces=[{**FACE, "angle": float("nan")}]), "line 1: .*expected an angle", id="an angle of NaN"),
        pytest.param("[" * 100_000, "line 1: not a frame", id="deep"),
    ],
)
def test_what_is_no_log_is_an_error_that_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(SourceError, match=message) as caught:
        list(read_log(path))
    assert str(path) in str(caught.value)


def test_what_is_whole_of_a_cut_log_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line() + line(time=0.3)[:-30])

    assert [result.timestamp for result in read_log(path)] == [0.2]
    assert caplog.messages == [f"{path}: the last line is cut off; what is whole was read, 1 frame"]

    path.write_text(line() + line(time=0.3).rstrip())
    assert [result.timestamp for result in read_log(path)] == [0.2, 0.3], "nothing but the line's end is missing"
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("keep", "counts"), [(1.5, [1]), (1.98, [1]), (2.02, [1]), (2.5, [1]), (3.02, [1]), (3.1, [1, 2]), (3.9, [1, 2])]
)
def test_the_last_frame_of_a_cut_table_of_many_inputs_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, keep: float, counts: list[int]
) -> None:
    """``keep``: number of rows that are left. The second input has two faces, the others one; at 3.02 no path is left."""
    path = tmp_path / "readings.jsonl"
    photos = [make_result(*[make_reading()] * faces) for faces in (1, 2, 1)]
    rows = [with_path(f"{name}.jpg", row) for name, photo in zip("abc", photos, strict=True)
            for row in lines(photo, is_photo=True).splitlines(keepends=True)]  # fmt: skip
    whole, part = divmod(keep, 1)
    path.write_bytes(b"".join(rows[: int(whole)]) + rows[int(whole)][: round(part * len(rows[int(whole)]))])

    assert [len(entry.result.readings) for entry in read_entries(path)] == counts
    assert caplog.messages == [f"{path}: the last line is cut off; what is whole was read, {counted(int(whole), 'row')}"]


def test_a_table_of_many_inputs_has_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_bytes(with_path("a.jpg", lines(make_result(make_reading()), is_photo=True)) + b"5\n")
    with pytest.raises(SourceError, match=r"line 2: .*expected an object"):
        list(read_entries(path))


def test_a_log_that_an_editor_of_windows_has_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + (line() + line(time=0.3)).replace("\n", "\r\n").encode())
    assert [result.timestamp for result in read_log(path)] == [0.2, 0.3]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_utf_16_is_named(tmp_path: Path, name: str, encoding: str) -> None:
    path = written(tmp_path / name)
    path.write_bytes(path.read_text().encode(encoding))
    with pytest.raises(SourceError, match=rf"{name}: not a log \(it is UTF-16, or no text; save it as UTF-8\)$"):
        list(read_log(path))


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name)
    number = path.read_bytes().count(b"\n") + 1
    path.write_bytes(path.read_bytes() + b"caf\xe9\n")
    with pytest.raises(SourceError, match=rf"{name}: not a log \(line {number} is not UTF-8 text\)$"):
        list(read_log(path))


@pytest.mark.parametrize(
    ("emotion", "message"),
    [
        ("joy", r"unknown emotion 'joy'; did you mean 'happy'\?"),
        ("hapy", "did you mean 'happy'"),
        ("x", r"unknown emotion 'x'\)"),
    ],
)
@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_an_emotion_of_an_unknown_name_is_refused(tmp_path: Path, name: str, emotion: str, message: str) -> None:
    path = written(tmp_path / name)
    old, new = ('"emotion": "fear"', f'"emotion": "{emotion}"') if name.endswith(".jsonl") else (",fear,0", f",{emotion},0")
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(SourceError, match=rf"line \d: .*{message}"):
        list(read_log(path))


def test_progress_counts_bytes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line() + line(time=0.3))
    sizes: list[int] = []

    list(read_log(path, sizes.append))

    assert (len(sizes), sum(sizes)) == (2, path.stat().st_size)


def test_bytes_a_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    for name, message in (("bytes.jsonl", "not a log"), ("", "is a folder"), ("none.jsonl", "no such")):
        with pytest.raises(SourceError, match=message):
            list(read_log(tmp_path / name))


class TestCsv:
    def test_a_table_that_a_spreadsheet_has_saved_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path / "log.csv")
        saved = path.read_text().replace("true", "TRUE").replace("\n", "\r\n")
        (tmp_path / "saved.csv").write_bytes(b"\xef\xbb\xbf" + saved.encode())

        assert [r.as_dict() for r in read_log(tmp_path / "saved.csv")] == [r.as_dict() for r in results()]

    def test_a_table_that_pandas_has_saved_is_read(self, tmp_path: Path) -> None:
        """It turns whole numbers into decimals where a cell is empty."""
        pandas = pytest.importorskip("pandas")
        pandas.read_csv(written(tmp_path / "log.csv")).to_csv(tmp_path / "saved.csv", index=False)

        assert "7.0,1.0,2.0,3.0,4.0" in (tmp_path / "saved.csv").read_text()
        assert [r.as_dict() for r in read_log(tmp_path / "saved.csv")] == [r.as_dict() for r in results()]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param("", "holds no frame", id="empty"),
            pytest.param("{}\n", "first line lacks", id="json"),
            pytest.param("frame,time\n", "first line lacks angry, disgust, fear", id="columns"),
            pytest.param("{header}\n", "holds no frame", id="header"),
            pytest.param("{header}\n1,0.1\n", "line 2: .*expected 18 cells, got 2", id="cells"),
            pytest.param("{header}\n1,x{rest}\n", "line 2: .*could not convert", id="time"),
            pytest.param("{header}\n1.5,0.1{rest}\n", "line 2: .*whole number", id="frame"),
            pytest.param("{header}\n1,nan{rest}\n", "line 2: .*number of seconds", id="no time"),
            pytest.param("{header}\n1,0.1{rest}\n2,0.1{rest}\n", "line 3: .*not after", id="time stands still"),
            pytest.param("{header}\n1,0.1,1,0,0,9,9,sad,1,perhaps,0,0,0,0,1,0,0,\n", "line 2: .*true or false", id="truth"),
            pytest.param("{header}\n1,0.1,1,0,0,9,9,sad,1,true,0,0,0,0,7,0,0,\n", "line 2: .*sum to 1", id="scores"),
        ],
    )
    def test_what_is_no_log_is_an_error_that_names_the_line(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "log.csv"
        path.write_text(text.replace("{header}", ",".join(CSV_COLUMNS)).replace("{rest}", 16 * ","))
        with pytest.raises(SourceError, match=message):
            list(read_log(path))

    @pytest.mark.parametrize(("cut", "frames"), [(1, 1), (20, 1), (27, 1), (60, 1), (-1, 2)])
    def test_the_last_frame_of_a_cut_table_is_left_out(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: int, frames: int
    ) -> None:
        """Whichever of its two faces the cut is in; -1: nothing is cut."""
        path = written(tmp_path / "log.csv")
        whole = path.read_bytes()
        path.write_bytes(whole if cut < 0 else whole[:-cut])

        assert len(list(read_log(path))) == frames
        assert len(caplog.messages) == (cut > 0)

    def test_a_table_of_an_older_version_is_read_and_what_it_lacks_is_said(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        frames = [
            make_result(*[make_reading()] * (index not in (2, 3, 4)), index=index, timestamp=index / 25) for index in range(9)
        ]
        path = written(tmp_path / "log.csv", *frames)
        assert len(list(read_log(path))) == 9
        assert caplog.messages == []
        older = [line for line in path.read_text().splitlines(keepends=True) if 16 * "," not in line]
        path.write_text("".join(older))

        assert [result.index for result in read_log(path)] == [0, 1, 5, 6, 7, 8]
        assert ["as in CSV logs of older versions" in message for message in caplog.messages] == [True]

    def test_a_table_without_angles_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path / "log.csv")
        path.write_text("".join(line.rpartition(",")[0] + "\n" for line in path.read_text().splitlines()))
        angles = [reading.angle for result in read_log(path) for reading in result.readings]
        assert angles == [None, None]

    def test_a_log_of_photos_is_no_clip(self, tmp_path: Path) -> None:
        (tmp_path / "log.csv").write_text(as_csv([PHOTO_CSV_COLUMNS, ["a.jpg", 0, 0.0, *[""] * 16]]))
        with pytest.raises(SourceError, match="summarize reads those"):
            list(read_log(tmp_path / "log.csv"))


def test_a_log_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.touch()
    os.truncate(path, 200 * 2**30)
    with pytest.raises(SourceError, match=r"log\.jsonl: is larger than 4 GiB, the most that a log may have"):
        next(read_log(path))


def test_a_log_may_not_hold_more_people_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.sources.result_log._MAX_PEOPLE", 1)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(result.as_dict()) + "\n" for result in results()))
    with pytest.raises(SourceError, match="more than 1 people"):
        list(read_log(tmp_path / "log.jsonl"))
