"""`emodetect image` that is interrupted, and goes on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from emodetect.cli.group import cli
from emodetect.errors import EmodetectError, OutputError, UsageError
from emodetect.sinks.photo_log import PhotoLog
from emodetect.sinks.records import PHOTO_CSV_COLUMNS, image_as_dict
from tests.builders import PHOTO, make_reading
from tests.cli.running import TIMEOUT, command, environment, run
from tests.waiting import wait_until

COUNT = 8


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a smile, walls, and a text that is no picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT - 2):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((120, 160, 3), 100 + number, np.uint8))
    (folder / "smile.jpg").write_bytes(PHOTO.read_bytes())
    (folder / "text.jpg").write_text("no picture")
    return folder


def image(*arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run in this process; the exit code and what was said."""
    code = cli.main(["image", *map(str, arguments)], standalone_mode=False)
    return code, capsys.readouterr().err


def paths(log: Path) -> list[str]:
    """The names of the photos in a log, a line or row each."""
    lines = log.read_text().splitlines()
    records: list[Any] = list(csv.DictReader(lines)) if log.suffix == ".csv" else [json.loads(line) for line in lines]
    return [Path(record["path"]).name for record in records]


WALLS = [f"{number}.png" for number in range(COUNT - 2)]


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_a_log_has_every_photo_and_resume_skips_them(tmp_path: Path, photos: Path, name: str, capsys: Any) -> None:
    log = tmp_path / name
    code, said = image(photos, "--log", log, capsys=capsys)
    assert code == 1
    assert paths(log) == [*WALLS, "smile.jpg", *["text.jpg"] * (name == "log.jsonl")]
    before = log.read_bytes()

    code, said = image(photos, "--log", log, "--resume", capsys=capsys)

    assert code == 1
    assert said.splitlines()[0].startswith(f"emodetect: 7 photos of 8 skipped, which {log} held already; the settings")
    assert "text.jpg: is no picture" in said or "text.jpg" in said.splitlines()[1]
    assert log.read_bytes() == before, "one that failed is tried again, but not written twice"


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
@pytest.mark.parametrize("cut", [0, 1, 30, 90])
def test_a_cut_log_is_made_whole(tmp_path: Path, photos: Path, name: str, cut: int, capsys: Any) -> None:
    """As a kill in the middle of a write leaves it, also after the header alone."""
    log = tmp_path / name
    (photos / "text.jpg").unlink()
    image(photos, "--log", log, capsys=capsys)
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    for size in (len(whole) - cut, len(b"".join(lines[:4])) - cut, len(lines[0]) - cut):
        log.write_bytes(whole[:size])
        image(photos, "--log", log, "--resume", capsys=capsys)
        assert log.read_bytes() == whole


def test_faces_of_the_last_photo_may_be_missing(tmp_path: Path) -> None:
    """A write of several pages can end anywhere; what is cut off shows that the photo's other rows cannot be trusted."""
    log = tmp_path / "log.csv"
    records = [image_as_dict(f"{name}.jpg", (9, 9), [make_reading()] * 3) for name in "ab"]
    writer = PhotoLog(log)
    for record in records:
        writer.add(record)
    writer.close()
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:5]) + lines[5][:20])

    writer = PhotoLog(log, resume=True)
    assert [writer.holds(name) for name in ("a.jpg", "./a.jpg", os.path.abspath("a.jpg"), "b.jpg")] == [True, True, True, False]
    for record in records:
        writer.add(record)
    writer.close()
    assert log.read_bytes() == whole


def test_copies_tell_what_was_done(tmp_path: Path, photos: Path, capsys: Any) -> None:
    folder, log = tmp_path / "copies", tmp_path / "log.jsonl"
    (photos / "text.jpg").unlink()
    image(photos, "--output", f"{folder}/", capsys=capsys)
    (folder / "3.png").unlink()
    old = (folder / "1.png").stat().st_mtime_ns

    _, said = image(photos, "--output", f"{folder}/", "--resume", capsys=capsys)
    assert "6 photos of 7 skipped" in said
    assert (folder / "3.png").is_file()
    assert (folder / "1.png").stat().st_mtime_ns == old

    (folder / "5.png").unlink()
    _, said = image(photos, "--output", folder, "--log", log, "--resume", capsys=capsys)
    assert "0 photos of 7 skipped" in said, "those that both hold"
    assert paths(log) == [*WALLS, "smile.jpg"]
    assert (folder / "5.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ([], UsageError, "--resume requires --log FILE or --output FOLDER"),
        (["--log", "new.csv", "--overwrite"], UsageError, "cannot be combined"),
        (["--log", "new.csv", "--sheet", "sheet.png"], UsageError, "cannot be combined with --sheet"),
        (["--log", "new.jsonl", "--format", "json"], UsageError, "cannot be combined with --format json"),
        (["--log", "other.csv"], OutputError, "other.csv: cannot be continued, since it is not a log of photos"),
        (["--log", "other.jsonl"], OutputError, "other.jsonl: cannot be continued, since it is not a log of photos"),
    ],
)
def test_what_cannot_be_continued(
    photos: Path, arguments: list[str], error: type[EmodetectError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    Path("other.csv").write_text("frame,time\n1,2\n")
    Path("other.jsonl").write_text('{"frame": 1, "time": 0.0, "faces": []}\n')
    with pytest.raises(error, match=message):
        cli.main(["image", "0.png", *arguments, "--resume"], standalone_mode=False)
    assert Path("other.csv").read_text() == "frame,time\n1,2\n"


def test_a_log_is_no_folder_of_copies(photos: Path) -> None:
    with pytest.raises(OutputError, match="--log saves readings"):
        cli.main(["image", str(photos), "--output", "faces.csv"], standalone_mode=False)


@pytest.mark.parametrize(
    ("number", "output_format"),
    [(signal.SIGINT, "csv"), (signal.SIGTERM, "jsonl"), (signal.SIGKILL, "csv"), (signal.SIGKILL, "jsonl")],
)
def test_an_interrupt_leaves_whole_rows_and_the_run_goes_on(
    tmp_path: Path, number: signal.Signals, output_format: str, photos: Path
) -> None:
    """Standard output and the log alike."""
    (photos / "text.jpg").unlink()
    for extra in range(150):
        (photos / f"z{extra:03}.png").write_bytes((photos / "0.png").read_bytes())
    printed, log = tmp_path / "printed", tmp_path / f"log.{output_format}"
    arguments = "image", photos, "--format", output_format, "--log", log
    with printed.open("wb") as output:
        process = subprocess.Popen(command(*arguments), env=environment(), stdout=output, stderr=subprocess.PIPE, text=True)
        with process:
            wait_until(lambda: printed.read_bytes().count(b"\n") >= 4, "four photos are read")
            process.send_signal(number)
            process.communicate(timeout=TIMEOUT)
    assert process.returncode == (-9 if number is signal.SIGKILL else 128 + number)
    text = printed.read_text()
    assert text.endswith("\n")
    if output_format == "csv":
        assert {len(row) for row in csv.reader(text.splitlines())} == {len(PHOTO_CSV_COLUMNS)}
    seen = paths(log)
    assert 0 < len(seen) < 157

    with printed.open("ab") as output:
        done = subprocess.run(
            command(*arguments, "--resume"), env=environment(), stdout=output, stderr=subprocess.PIPE, text=True, check=True
        )
    assert f"{len(seen)} photos of 157 skipped" in done.stderr
    assert len(paths(log)) == len(set(paths(log))) == 157
    assert printed.read_text().count(",frame,") == (output_format == "csv"), "the header comes once"


def test_rows_of_photos_without_faces_and_none_of_those_that_fail(photos: Path) -> None:
    rows = list(csv.reader(run("image", photos, "--format", "csv").stdout.splitlines()))

    assert len(rows) == COUNT
    assert rows[1] == [str(photos / "0.png"), "0", "0.0", *[""] * 16]
    assert rows[-1][3] == "1"
