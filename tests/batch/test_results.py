"""The formats of the readings, and that usual tools read each in one line, as the documentation shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emodetect.batch.manifest import Entry
from emodetect.batch.parts import FOLDER
from emodetect.batch.results import Source, write_results
from emodetect.batch.rows import COLUMNS, lines, shown
from emodetect.settings.batch import FORMATS, Format
from tests.builders import ROOT, make_reading, make_result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a clip of three frames, a photo under a name that is no text, and a failure, in each format."""
    folder = tmp_path_factory.mktemp("project") / "results"
    (folder / FOLDER).mkdir(parents=True)
    frames = [make_result(make_reading(), make_reading(track_id=2)), make_result(index=1, timestamp=0.04)]
    clip = b"".join(lines(frame, is_photo=False) for frame in frames)
    photo = lines(make_result(make_reading(uncertain=True)), is_photo=True)
    (folder / FOLDER / "clip-1.jsonl").write_bytes(clip)
    (folder / FOLDER / "photos-000001.jsonl").write_bytes(b"something else\n" + photo)
    entries = [
        Entry("b.mp4", "clip", state="done", part="clip-1.jsonl", length=len(clip)),
        Entry("=a\udce9.jpg", "photo", state="done", part="photos-000001.jsonl", offset=15, length=len(photo)),
        Entry("c.jpg", "photo", state="failed", reason="no such file, s3://u:secret@host/x"),
    ]
    for name in FORMATS:
        if name == "parquet":
            pytest.importorskip("pyarrow")
        assert write_results(folder, [Source(folder, entry) for entry in entries], name) == 1
    return folder


def test_reasons_name_options_where_there_are_some(tmp_path: Path) -> None:
    failed = Source(tmp_path, Entry("c.jpg", "photo", state="failed", reason="is too large (`max_pixels`)"))
    write_results(tmp_path, [failed], "jsonl", lambda text: text.replace("`max_pixels`", "--max-pixels"))
    assert (tmp_path / "failures.csv").read_text() == "path,reason\nc.jpg,is too large (--max-pixels)\n"


def assert_table(paths: list[Any], people: list[Any], uncertain: list[Any], apostrophe: str = "") -> None:
    assert paths == [apostrophe + shown("=a\udce9.jpg"), "b.mp4", "b.mp4", "b.mp4"]
    assert [None if person != person or person is None else int(person) for person in people] == [1, 1, 2, None]
    assert [one in (True, "true") for one in uncertain[:3]] == [True, False, False]  # pandas makes numbers of them


def test_lines_of_json(results: Path) -> None:
    rows = [json.loads(line) for line in (results / "readings.jsonl").read_text().splitlines()]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert_table([row["path"] for row in rows], [row["person"] for row in rows], [row["uncertain"] for row in rows])
    assert [row["time"] for row in rows] == [None, 0.0, 0.0, 0.04]
    assert (results / "failures.csv").read_text() == 'path,reason\nc.jpg,"no such file, s3://***@host/x"\n'


@pytest.mark.parametrize("name", FORMATS)
def test_pandas_polars_and_duckdb_read_it_in_one_line(results: Path, name: Format) -> None:
    file, quote = str(results / f"readings.{name}"), "'" if name == "csv" else ""
    pandas = pytest.importorskip("pandas")
    read = {"jsonl": lambda path: pandas.read_json(path, lines=True), "csv": pandas.read_csv, "parquet": pandas.read_parquet}
    table = read[name](file)
    assert list(table.columns) == list(COLUMNS)
    assert_table(list(table["path"]), list(table["person"]), list(table["uncertain"]), quote)

    polars = pytest.importorskip("polars")
    if name == "parquet":
        frame = polars.read_parquet(file)
    else:
        frame = {"jsonl": polars.read_ndjson, "csv": polars.read_csv}[name](file, infer_schema_length=None)
    assert_table(frame["path"].to_list(), frame["person"].to_list(), frame["uncertain"].to_list(), quote)

    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql(f"SELECT path, person, uncertain FROM '{file}'").fetchall()
    paths, people, uncertain = (list(column) for column in zip(*rows, strict=True))
    assert_table(paths, people, uncertain, quote)


def test_the_examples_of_the_documentation_run(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pandas", "polars", "duckdb"):
        pytest.importorskip(package)
    monkeypatch.chdir(results.parent)
    examples = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "batch.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        namespace: dict[str, Any] = {}
        exec(example, namespace)
        assert len(namespace["table"])


def test_two_writings_are_the_same_bytes(results: Path, tmp_path: Path) -> None:
    clip = Source(results, Entry("b.mp4", "clip", state="done", part="clip-1.jsonl", length=1))
    for name in FORMATS:
        assert write_results(tmp_path, [clip], name) == 0
        first = (tmp_path / f"readings.{name}").read_bytes()
        write_results(tmp_path, [clip], name)
        assert (tmp_path / f"readings.{name}").read_bytes() == first
