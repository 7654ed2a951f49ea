"""`emodetect summarize`, in this process: it needs no model."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from emodetect.cli.group import cli
from emodetect.errors import EmodetectError, OutputError, UsageError
from emodetect.sinks.photo_log import PhotoLog
from emodetect.sinks.records import as_csv, image_as_dict
from emodetect.sources.images import read_image
from emodetect.types import EMOTIONS, Emotion, FrameResult
from tests.builders import make_reading
from tests.summary.logs import A, H, N, frames, write_log

SESSION = [H, H, H, N, N, None, None, A, A, N]


def summarize(*arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and messages."""
    code = cli.main(["summarize", *map(str, arguments)], standalone_mode=False)
    said = capsys.readouterr()
    return code, said.out, said.err


def table(text: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(text))]


def flat_rows(path: str, results: list[FrameResult], *, is_photo: bool = False) -> list[dict[str, Any]]:
    """The rows of many inputs, as `emodetect batch` has them."""
    rows: list[dict[str, Any]] = []
    for result in results:
        frame = {"path": path, "time": None if is_photo else result.timestamp, "frame": result.index}
        empty = dict.fromkeys(["person", "x", "y", "width", "height", "angle", "emotion", "confidence", "uncertain"])
        for face in result.as_dict()["faces"]:
            values = {
                "person": face["id"],
                **face["box"],
                "angle": 0.5,
                "emotion": face["emotion"],
                "uncertain": face["uncertain"],
            }
            rows.append({**frame, **empty, **values, "confidence": face["confidence"], **face["scores"]})
        if not result.readings:
            rows.append({**frame, **empty, **dict.fromkeys(emotion.value for emotion in EMOTIONS)})
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As JSON lines, CSV or Parquet."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        cells = [["" if v is None else str(v).lower() if isinstance(v, bool) else v for v in row.values()] for row in rows]
        path.write_text(as_csv([rows[0], *cells]))  # type: ignore[list-item]
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    write_log(folder / "s1.jsonl", frames(SESSION, [None, A, A]))
    write_log(folder / "s2.csv", frames(SESSION))
    write_log(folder / "s3.jsonl", frames([None, None]))
    return folder


def test_a_folder_a_pattern_and_the_files_give_the_same_table(logs: Path, tmp_path: Path, capsys: Any) -> None:
    files = [logs / name for name in ("s1.jsonl", "s2.csv", "s3.jsonl")]
    outputs = [summarize(*names, "--format", "csv", capsys=capsys)[1] for names in ([logs], [f"{logs}/*.*"], files)]

    rows = table(outputs[0])
    assert outputs[0] == outputs[1] == outputs[2]
    assert [(Path(row["input"]).name, row["person"]) for row in rows[::7]] == [
        ("s1.jsonl", "1"), ("s1.jsonl", "2"), ("s2.csv", "1"), ("s3.jsonl", ""),
    ]  # fmt: skip
    assert len(rows) == 3 * 7 + 1
    assert {row["emotion"]: row["seconds"] for row in rows[:7]}["happy"] == "0.75"
    assert rows[-1]["seconds_seen"] == "0.0"
    assert [{**row, "input": ""} for row in rows[:7]] == [{**row, "input": ""} for row in rows[14:21]], "CSV and JSON lines agree"


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_each_format_holds_the_same_table(logs: Path, tmp_path: Path, suffix: str, capsys: Any) -> None:
    people = tmp_path / "people.csv"
    people.write_text("file,age,group\ns1,31,a\ns2,44,=b\ns3,,c\n")
    path = tmp_path / f"summary.{suffix}"
    expected = table(summarize(logs, "--participants", people, "--format", "csv", capsys=capsys)[1])

    code, printed, said = summarize(logs, "--participants", people, "--output", path, capsys=capsys)

    assert (code, printed, said) == (
        0,
        "",
        "emodetect: 2 people without confidence intervals: seen for less than 60 s (6 times --block)\n"
        f"emodetect: {path}: 22 rows of 3 inputs\n",
    )
    if suffix == "csv":
        assert table(path.read_text()) == expected
        assert {row["group"] for row in expected} == {"a", "'=b", "c"}, "no formulas"
        return
    if suffix == "json":
        rows = json.loads(path.read_text())
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(path).to_pylist()
        assert [str(parquet.read_schema(path).field(name).type) for name in ("person", "share", "age")] == [
            "int64",
            "double",
            "int64",
        ]
    assert [row["group"] for row in rows] == ["a"] * 14 + ["=b"] * 7 + ["c"]
    assert {row["age"] for row in rows} == {31, 44, None}
    for row in rows:
        row["group"] = f"'{row['group']}" if row["group"] == "=b" else row["group"]
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == expected


@pytest.mark.parametrize("name", ["readings.jsonl", "readings.csv", "readings.parquet"])
def test_results_of_many_inputs_are_read_as_the_logs_are(logs: Path, tmp_path: Path, name: str, capsys: Any) -> None:
    results = tmp_path / "results"
    results.mkdir()
    rows = flat_rows("a/clip.mp4", frames(SESSION, [None, A, A])) + flat_rows("b/empty.mp4", frames([None, None]))
    rows += flat_rows("c/photo.jpg", frames([H], [(A,)]), is_photo=True)
    write_rows(results / name, rows)
    (results / "manifest.jsonl").write_text("{}\n")
    (results / "failures.csv").write_text("path,reason\nx.mp4,broken\n")

    code, printed, said = summarize(results, "--format", "csv", capsys=capsys)
    same, _, _ = summarize(results / name, capsys=capsys)

    assert code == same == 0
    assert (
        said.splitlines()[0]
        == f"emodetect: {results}: 1 of its inputs could not be read and is missing; failures.csv there says why"
    )
    made = table(printed)
    assert [row["input"] for row in made] == ["a/clip.mp4"] * 14 + ["b/empty.mp4"] + ["c/photo.jpg"] * 14
    log = table(summarize(logs / "s1.jsonl", "--format", "csv", capsys=capsys)[1])
    assert [{**row, "input": ""} for row in made[:14]] == [{**row, "input": ""} for row in log]
    assert (made[14]["seconds_input"], made[14]["person"]) == ("0.5", "")
    photo = {(row["person"], row["emotion"]): row["share"] for row in made[15:]}
    assert (photo["1", "happy"], photo["2", "angry"]) == ("1.0", ""), "the second is uncertain"


def test_readings_that_pandas_has_saved_are_read(tmp_path: Path, capsys: Any) -> None:
    """It writes whole numbers as decimals, and null as NaN."""
    pandas = pytest.importorskip("pandas")
    rows = flat_rows("a.mp4", frames(SESSION, [None, A, A])) + flat_rows("c.jpg", frames([H], [H]), is_photo=True)
    write_rows(tmp_path / "rows.jsonl", rows)
    expected = summarize(tmp_path / "rows.jsonl", "--format", "csv", capsys=capsys)[1]
    frame = pandas.DataFrame(rows)
    frame.to_csv(tmp_path / "saved.csv", index=False)
    frame.to_parquet(tmp_path / "saved.parquet")
    frame.to_json(tmp_path / "saved.jsonl", orient="records", lines=True, double_precision=15)

    for name in ("saved.csv", "saved.parquet", "saved.jsonl"):
        assert summarize(tmp_path / name, "--format", "csv", capsys=capsys)[1] == expected, name


@pytest.mark.parametrize("name", ["photos.jsonl", "photos.csv"])
def test_a_log_of_photos_is_read(tmp_path: Path, name: str, capsys: Any) -> None:
    log = PhotoLog(tmp_path / name)
    log.add(image_as_dict("a.jpg", (9, 9), [make_reading(dominant=H), make_reading(dominant=Emotion.SAD)]))
    log.add({"path": "broken.jpg", "error": "no picture"})
    log.add(image_as_dict("b.jpg", (9, 9), []))
    log.close()

    rows = table(summarize(tmp_path / name, "--format", "csv", "--people", "1", capsys=capsys)[1])
    assert [(row["input"], row["person"]) for row in rows[::7]] == [("a.jpg", "1"), ("a.jpg", "2"), ("b.jpg", "")]


def test_the_table_for_people_leaves_out_empty_columns(logs: Path, capsys: Any) -> None:
    _, printed, _ = summarize(logs / "s2.csv", capsys=capsys)

    lines = printed.splitlines()
    assert re.split(r"  +", lines[0]) == ["input", "person", "emotion", "seconds", "share", "mean score", "bouts", "mean bout"]
    happy = next(line for line in lines if "happy" in line)
    assert re.split(r"  +", happy)[1:5] == ["1", "happy", "0.75", "38%"]


def test_numbers_of_one_person_are_joined_and_that_is_said(tmp_path: Path, capsys: Any) -> None:
    log = write_log(tmp_path / "a.jsonl", frames([H, H, H], [None, None, None, None, A, A]))

    _, printed, said = summarize(log, "--people", "1", "--format", "csv", capsys=capsys)

    assert said.splitlines()[0] == f"emodetect: {log}: 2 numbers taken for 1 person"
    rows = table(printed)
    assert {(row["person"], row["seconds_seen"], row["changes_per_minute"]) for row in rows} == {("1", "1.25", "48.0")}
    cli.main(["report", str(log), "--people", "1"], standalone_mode=False)
    page = (tmp_path / "a.html").read_text()
    assert "2 numbers taken for 1 person" in page
    assert "Person 2" not in page
    assert "2 numbers taken for 1 person" in capsys.readouterr().err


def test_an_input_that_cannot_be_read_is_told_and_the_others_done(logs: Path, tmp_path: Path, capsys: Any) -> None:
    (logs / "bad.jsonl").write_text("{}\n")
    (tmp_path / "empty").mkdir()

    code, printed, said = summarize(
        logs / "none.csv", logs, tmp_path / "empty", logs / "s1.jsonl", f"{tmp_path}/*.none", "--format", "csv", capsys=capsys
    )

    assert code == 1
    assert len(table(printed)) == 22
    lines = said.splitlines()
    for message in ("none.csv: no such file", "bad.jsonl, line 1: not a frame", "empty: is a folder without logs",
                    "s1.jsonl: is named twice, and read once", "*.none: no file has such a name"):  # fmt: skip
        assert sum(message in line for line in lines) == 1, message


def test_where_nothing_can_be_read_nothing_is_written(tmp_path: Path, capsys: Any) -> None:
    code, _, said = summarize(tmp_path / "none.jsonl", "--output", tmp_path / "summary.csv", capsys=capsys)

    assert code == 1
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "summary.csv").exists()


def test_readings_in_several_formats_are_told(tmp_path: Path, capsys: Any) -> None:
    for name in ("readings.jsonl", "readings.csv", "readings.parquet"):
        write_rows(tmp_path / name, flat_rows("clip.mp4", frames(SESSION)))
    (tmp_path / "failures.csv").write_text("path,reason\nx.mp4,broken\ny.mp4,broken\n")
    said = summarize(tmp_path, capsys=capsys)[2]
    assert "2 of its inputs could not be read and are missing" in said
    assert "holds readings.jsonl, readings.csv and readings.parquet; the first is read" in said


def test_unfinished_results_of_batch_are_told(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    code, _, said = summarize(tmp_path, capsys=capsys)
    assert code == 1
    assert "holds no readings yet; emodetect batch has to finish first" in said


def test_shards_that_are_not_merged_are_told(tmp_path: Path, capsys: Any) -> None:
    shard = tmp_path / "shard-1-of-2"
    shard.mkdir()
    (shard / "manifest.jsonl").write_text("{}\n")
    code, _, said = summarize(tmp_path, capsys=capsys)
    assert code == 1
    assert "holds shards; emodetect batch has to merge them first" in said


def test_two_logs_of_one_clip_are_told(logs: Path, capsys: Any) -> None:
    write_log(logs / "s1.csv", frames(SESSION))
    assert (
        f"{logs / 's1.csv'} and {logs / 's1.jsonl'}: both are read; are they the same clip?" in summarize(logs, capsys=capsys)[2]
    )


def test_an_input_in_two_files_counts_once(tmp_path: Path, capsys: Any) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write_rows(tmp_path / name, flat_rows("clip.mp4", frames(SESSION)) + flat_rows(f"{name}.mp4", frames(SESSION)))

    code, printed, said = summarize(tmp_path, "--format", "csv", capsys=capsys)

    assert code == 1
    assert "b.jsonl: holds clip.mp4, as does" in said
    assert [row["input"] for row in table(printed)[::7]] == ["clip.mp4", "a.jsonl.mp4", "b.jsonl.mp4"]


def test_rows_of_one_input_must_be_together(tmp_path: Path, capsys: Any) -> None:
    rows = [*flat_rows("a", frames([H])), *flat_rows("b", frames([H])), *flat_rows("a", frames([H], start=1.0))]
    _, _, said = summarize(write_rows(tmp_path / "a.jsonl", rows), capsys=capsys)
    assert "line 3: not a frame of an emodetect log (the input was on earlier lines as well; sort them" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "parquet"], "--format parquet needs --output"),
        (["--format", "table", "--output", "a.csv"], "--format table is printed"),
        (["--format", "json", "--output", "a.csv"], "contradict"),
        (["--output", "a.xlsx"], r"unknown kind of file; expected a name ending in \.csv, \.parquet, \.json"),
    ],
)
def test_formats_and_names_must_agree(logs: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cli.main(["summarize", str(logs), *arguments], standalone_mode=False)


@pytest.mark.parametrize("named", ["s2.csv", ".", "*.csv"])
def test_a_log_is_never_replaced(logs: Path, named: str) -> None:
    before = (logs / "s2.csv").read_bytes()
    with pytest.raises(OutputError, match=r"s2\.csv: is read by this command"):
        cli.main(["summarize", str(logs / named), "--output", str(logs / "s2.csv"), "--overwrite"], standalone_mode=False)
    assert (logs / "s2.csv").read_bytes() == before


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_nothing_is_replaced_unasked(logs: Path, option: str) -> None:
    name = logs / ("old.json" if option == "--output" else "old.svg")
    name.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        cli.main(["summarize", str(logs), option, str(name)], standalone_mode=False)
    assert name.read_bytes() == b"precious"


def test_other_tables_among_the_logs_are_left_out(logs: Path, capsys: Any) -> None:
    """The participants, and the summary of an earlier run."""
    (logs / "people.csv").write_text("file,age\ns1,3\ns2,4\ns3,5\n")
    arguments = logs, "--participants", logs / "people.csv", "--output", logs / "summary.csv"
    assert summarize(*arguments, capsys=capsys)[0] == 0
    before = (logs / "summary.csv").read_bytes()

    code, _, said = summarize(*arguments, "--overwrite", capsys=capsys)

    assert code == 0
    assert (logs / "summary.csv").read_bytes() == before
    assert [line for line in said.splitlines() if "left out" in line] == [
        f"emodetect: {logs / name}: is not a log, and left out" for name in ("people.csv", "summary.csv")
    ]


@pytest.mark.parametrize(
    ("option", "values", "message"),
    [
        ("--bins", ["0", "1x", "-1s", "nan", "25h", ""], "is no length of time"),
        ("--block", ["0s"], "is no length of time"),
        ("--plot-size", ["85", "85x", "0x0", "85x60cm", "1e9x2"], "is no size of a figure"),
        ("--people", ["0", "two"], "Invalid value"),
    ],
)
def test_wrong_values(logs: Path, option: str, values: list[str], message: str) -> None:
    import click

    for value in values:
        with pytest.raises(click.UsageError) as caught:
            cli.main(["summarize", str(logs), option, value], standalone_mode=False)
        assert message in caught.value.format_message() or "Invalid value" in str(caught.value)


@pytest.mark.parametrize("bins", [[], ["--bins", "500ms"]], ids=["shares", "course"])
@pytest.mark.parametrize("count", [1, 9])
def test_a_figure_has_its_size_and_its_labels(tmp_path: Path, bins: list[str], count: int, capsys: Any) -> None:
    for number in range(count):
        write_log(tmp_path / f"s{number}.jsonl", frames(SESSION * 4))
    summarize(tmp_path, *bins, "--plot", tmp_path / "a.svg", "--plot-size", "120x80", capsys=capsys)
    summarize(tmp_path, *bins, "--plot", tmp_path / "a.png", "--plot-size", "120x80", capsys=capsys)
    summarize(tmp_path, *bins, "--plot", tmp_path / "a.pdf", capsys=capsys)

    text = (tmp_path / "a.svg").read_text()
    width, height = (float(number) for number in re.findall(r'(?:width|height)="([\d.]+)pt"', text)[:2])
    assert (width, height) == pytest.approx((120 / 25.4 * 72, 80 / 25.4 * 72), abs=0.01)
    words = re.findall(r"<text[^>]*>([^<]+)</text>", text)
    assert {"share of certain time", *(emotion.value for emotion in EMOTIONS)} <= {*words}
    assert ("time (s)" in words) == bool(bins)
    picture = read_image(tmp_path / "a.png")
    assert picture.shape[1::-1] == pytest.approx((120 / 25.4 * 600, 80 / 25.4 * 600), abs=1)
    assert picture[0, 0].tolist() == [255, 255, 255], "a light ground"
    assert b"/FontFile2" in (tmp_path / "a.pdf").read_bytes() or b"/Type /Font" in (tmp_path / "a.pdf").read_bytes()


def test_a_plot_of_nobody_is_empty(logs: Path, tmp_path: Path, capsys: Any) -> None:
    code, _, _ = summarize(logs / "s3.jsonl", "--plot", tmp_path / "a.svg", capsys=capsys)
    assert code == 0
    assert "share of certain time" in (tmp_path / "a.svg").read_text()


def test_parquet_without_pyarrow_says_what_is_missing(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(EmodetectError, match="Parquet needs pyarrow; pip install 'pyarrow>="):
        cli.main(["summarize", str(logs), "--output", str(tmp_path / "a.parquet")], standalone_mode=False)
