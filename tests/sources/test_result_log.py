from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emodetect.errors import SourceError
from emodetect.sinks.records import RecordWriter
from emodetect.sources.result_log import read_log
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


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "log.jsonl") as writer:
        for result in results():
            writer.write(make_frame(), result)

    assert [result.as_dict() for result in read_log(tmp_path / "log.jsonl")] == [r.as_dict() for r in results()]


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
        pytest.param("[1]\n", "line 1: not a frame", id="list"),
        pytest.param(line()[:40], "line 1: not a frame", id="only a part of a line"),
        pytest.param(line() + line()[:40] + "\n", "line 2: not a frame", id="a part of a line and a whole one's end"),
        pytest.param(line() + "{}", "line 2: not a frame", id="another object at the end"),
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


def test_progress_counts_bytes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line() + line(time=0.3))
    sizes: list[int] = []

    list(read_log(path, sizes.append))

    assert (len(sizes), sum(sizes)) == (2, path.stat().st_size)


def test_bytes_a_folder_a_missing_file_and_csv_are_errors(tmp_path: Path) -> None:
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "log.csv").write_text("frame,time\n")
    for name, message in (("bytes.jsonl", "not a log"), ("", "is a folder"), ("none.jsonl", "no such"), ("log.csv", "jsonl")):
        with pytest.raises(SourceError, match=message):
            list(read_log(tmp_path / name))


def test_a_log_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.touch()
    os.truncate(path, 200 * 2**30)
    with pytest.raises(SourceError, match=r"log\.jsonl: is larger than 4 GiB, the most that a log may have"):
        next(read_log(path))


def test_a_log_may_not_hold_more_people_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.sources.result_log._MOST_PEOPLE", 1)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(result.as_dict()) + "\n" for result in results()))
    with pytest.raises(SourceError, match="more than 1 people"):
        list(read_log(tmp_path / "log.jsonl"))
