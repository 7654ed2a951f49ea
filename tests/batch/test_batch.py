"""The command as a user runs it: its results, and that they are the same whatever happens on the way."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from emodetect.batch.manifest import Entry, read_manifest
from emodetect.batch.rows import COLUMNS
from tests.builders import PHOTO, ROOT, make_background, write_moving_clip
from tests.cli.running import TIMEOUT, assert_one_line, command, command_line, end, environment, is_running, run, run_on_terminal
from tests.waiting import wait_until

RESULTS = "readings.jsonl", "failures.csv"

HARM = """
import ctypes, hashlib, os, sys, time

sha256 = hashlib.sha256

def harmful(data=b"", **named):
    end = bytes(data)[-40:]
    if end.endswith(b"CRASH"):
        ctypes.string_at(0)
    if end.endswith(b"MEMORY"):
        held = []
        while True:
            held.append(b"x" * 20_000_000)
            time.sleep(0.02)
    if end.endswith(b"SLEEP"):
        time.sleep(600)
    if end.endswith(b"NO ROOM"):
        raise MemoryError
    if end.endswith(b"ONCE") and not os.path.exists(marker := os.environ["MARKER"]):
        open(marker, "w").close()
        os.kill(os.getpid(), 9)
    return sha256(data, **named)

hashlib.sha256 = harmful
"""
"""A module that Python imports at its start: photos that end in certain words harm the process that reads them."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, clips, a copy, an empty picture and a broken one."""
    folder = tmp_path_factory.mktemp("inputs")
    photo = cv2.imread(str(PHOTO))
    for number in range(12):
        cv2.imwrite(str(folder / f"photo-{number:02}.jpg"), cv2.convertScaleAbs(photo, alpha=1 - number / 40))
    shutil.copy(folder / "photo-03.jpg", folder / "a copy.jpg")
    cv2.imwrite(str(folder / "wall.png"), make_background((320, 240)))
    (folder / "broken.jpg").write_bytes(b"no photo")
    for number, frames in enumerate((25, 50, 75)):
        write_moving_clip(folder / f"clip-{number}.mp4", frames)
    return folder


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    done = run("batch", inputs, "--output", folder)
    assert done.returncode == 1, done.stderr
    assert "17 of 18 inputs read" in done.stderr
    return folder


def readings(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "readings.jsonl").read_text().splitlines()]


def assert_same(folder: Path, whole: Path) -> None:
    for name in RESULTS:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def failures(folder: Path) -> dict[str, str]:
    with (folder / "failures.csv").open(newline="") as file:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}


def entries(folder: Path) -> list[Entry]:
    return read_manifest(folder)[1]


def test_readings_are_those_of_image_and_video_in_order(inputs: Path, whole: Path, tmp_path: Path) -> None:
    rows = readings(whole)
    assert all(tuple(row) == COLUMNS for row in rows)
    order = [(row["path"], row["frame"], row["person"] or 0) for row in rows]
    assert order == sorted(order)

    photo, clip = str(inputs / "photo-05.jpg"), str(inputs / "clip-2.mp4")
    assert run("video", clip, "--log", tmp_path / "log.csv", "--quiet").returncode == 0
    printed = run("image", photo, "--format", "csv").stdout
    for path, text in ((photo, printed), (clip, (tmp_path / "log.csv").read_text())):
        expected = [
            {**row, "person": row["id"], "time": "" if path == photo else row["time"]}
            for row in csv.DictReader(text.splitlines())
        ]
        got = [{key: as_text(row[key]) for key in COLUMNS[1:]} for row in rows if row["path"] == path]
        expected = [{key: row[key] for key in got[0]} for row in expected]
        assert got == expected


def as_text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_every_input_is_in_the_readings_or_among_the_failures(inputs: Path, whole: Path) -> None:
    rows = readings(whole)
    assert {row["path"] for row in rows} | {str(inputs / name) for name in failures(whole)} == {
        str(path) for path in inputs.iterdir()
    }
    assert failures(whole) == {"broken.jpg": "not an image that can be read, or cut short"}
    [wall] = [row for row in rows if row["path"].endswith("wall.png")]
    assert (wall["frame"], wall["time"], wall["person"], wall["emotion"]) == (0, None, None, None)


def test_the_same_file_under_two_names_is_read_once_and_reported_twice(whole: Path) -> None:
    twins = [entry for entry in entries(whole) if Path(entry.path).name in ("a copy.jpg", "photo-03.jpg")]
    assert twins[0].hash == twins[1].hash
    assert (twins[0].part, twins[0].offset) == (twins[1].part, twins[1].offset)
    named = [
        [value for key, value in row.items() if key != "path"]
        for row in readings(whole)
        if row["path"] in {t.path for t in twins}
    ]
    assert len(named) == 2
    assert named[0] == named[1]


def test_what_the_run_was_is_noted(whole: Path) -> None:
    facts = json.loads((whole / "run.json").read_text())
    assert facts["totals"] | {"faces": 0, "bytes": 0} == {
        "inputs": 18, "done": 17, "failed": 1, "frames": 164, "faces": 0, "bytes": 0, "photos": 15, "clips": 3,
    }  # fmt: skip
    assert facts["settings"]["models"]["embedded"]
    assert facts["versions"]["opencv-python"]
    assert facts["runs"][0]["seconds"] > 0


def workers_of(parent: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and b"emodetect.batch.worker" in command_line(int(folder.name)):
            status = (folder / "status").read_text() if is_running(int(folder.name)) else ""
            if f"PPid:\t{parent}\n" in status:
                found.append(int(folder.name))
    return found


def begin(inputs: Path, folder: Path) -> subprocess.Popen[str]:
    """A run that has done something, and is not at its end."""
    process = subprocess.Popen(
        command("batch", inputs, "--output", folder, "--jobs", "2"), env=environment(), stderr=subprocess.PIPE, text=True
    )
    begun = folder / "manifest.jsonl"
    wait_until(lambda: process.poll() is not None or (begun.exists() and any((folder / "parts").iterdir())), "a part")
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_ended_goes_on_to_the_same_bytes(
    inputs: Path, whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with begin(inputs, tmp_path / "r") as process:
        workers = workers_of(process.pid)
        process.send_signal(number)
        said = end(process)
    wait_until(lambda: not any(map(is_running, workers)), "the end of the workers")
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert f"'emodetect batch --resume {tmp_path / 'r'}' goes on" in said
    assert not (tmp_path / "r" / "readings.jsonl").exists()
    assert any(entry.state == "waiting" for entry in entries(tmp_path / "r"))

    done = run("batch", "--resume", tmp_path / "r")
    assert done.returncode == 1, done.stderr
    assert_same(tmp_path / "r", whole)
    assert not list((tmp_path / "r").rglob(".emodetect*"))
    again = run("batch", "--resume", tmp_path / "r", "--quiet")
    assert again.returncode == 1
    assert_same(tmp_path / "r", whole)


def test_a_worker_that_was_killed_is_replaced(inputs: Path, whole: Path, tmp_path: Path) -> None:
    with begin(inputs, tmp_path / "r") as process:
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        end(process)
    assert process.returncode == 1
    assert_same(tmp_path / "r", whole)


@pytest.fixture
def harmful(tmp_path: Path) -> dict[str, str | None]:
    """The environment of a run in which photos can do harm."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HARM)
    return {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]),
        "MARKER": str(tmp_path / "once"),
    }


def test_an_input_that_does_harm_is_a_row_and_the_others_are_read(harmful: dict[str, str | None], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    words = ("CRASH", "MEMORY", "SLEEP", "NO ROOM", "ONCE", *(f"good {number}" for number in range(6)))
    for word in words:
        (photos / f"{word}.jpg").write_bytes(PHOTO.read_bytes() + word.encode())

    arguments = ("batch", photos, "--output", tmp_path / "r", "--jobs", "2", "--timeout", "10", "--max-memory", "1GB")
    done = run(*arguments, env=harmful)

    assert done.returncode == 1, done.stderr
    assert failures(tmp_path / "r") == {
        "CRASH.jpg": "its worker ended by a segmentation fault, 2 times",
        "MEMORY.jpg": "its worker takes more memory than 1 GB, 2 times",
        "SLEEP.jpg": "it takes longer than 10 s",
        "NO ROOM.jpg": "there is not enough memory for it",
    }
    assert {Path(row["path"]).stem for row in readings(tmp_path / "r")} == {
        word for word in words if word.startswith(("good", "ONCE"))
    }
    deaths = {Path(entry.path).stem: entry.deaths for entry in entries(tmp_path / "r")}
    assert {word: count for word, count in deaths.items() if count} == {"CRASH": 2, "MEMORY": 2, "ONCE": 1}


def test_shards_are_merged_to_the_results_of_one_run(inputs: Path, whole: Path, tmp_path: Path) -> None:
    results = tmp_path / "r"
    for number in (1, 3):
        run("batch", inputs, "--output", results, "--shard", f"{number}/3", "--quiet")
    assert_one_line(run("batch", "--merge", results), 1, "1 shard missing: 2")

    run("batch", inputs / "clip-0.mp4", "--output", results, "--shard", "2/3", "--quiet")
    assert_one_line(run("batch", "--merge", results), 2, "all shards must list the same files")
    run("batch", inputs, "--output", results, "--shard", "2/3", "--quiet", "--overwrite")
    done = run("batch", "--merge", results)
    assert_one_line(done, 1, "17 of 18 inputs read", "1 failed")
    assert_same(results, whole)

    assert run("batch", "--merge", results, "--format", "csv", "--quiet").returncode == 1
    with (results / "readings.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [row["path"] for row in readings(whole)]


def test_a_run_goes_on_with_its_own_options_and_no_others(inputs: Path, tmp_path: Path) -> None:
    results = tmp_path / "r"
    begun = run(
        "batch", inputs / "photo-00.jpg", "--output", results, "--format", "csv", "--no-verify", "--max-pixels", "1000000",
        env={"EMODETECT_MIN_FACE": "80"},
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr
    facts = json.loads((results / "run.json").read_text())
    assert set(facts["arguments"]) == {"--format=csv", "--no-verify", "--max-pixels=1000000", "--min-face=80"}
    (results / "readings.csv").unlink()

    assert run("batch", "--resume", results).returncode == 0
    assert (results / "readings.csv").exists()
    refused = run("batch", "--resume", results, "--min-face", "90")
    assert_one_line(refused, 2, "the batch has other settings", "(--min-face was 80 and is 90)")
    assert_one_line(run("batch", inputs, "--resume", results), 2, "the batch has other inputs")
    assert_one_line(run("batch", inputs, "--output", results), 1, "already contains a batch; --resume continues it")
    assert run("batch", inputs / "photo-01.jpg", "--output", results, "--overwrite").returncode == 0
    assert [Path(row["path"]).name for row in readings(results)] == ["photo-01.jpg"]
    assert not (results / "readings.csv").exists()


def test_names_come_from_a_list(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{inputs / 'photo-01.jpg'}\n{inputs / 'photo-02.jpg'}\n")
    assert run("batch", "--from", tmp_path / "list.txt", "--output", tmp_path / "a", "--quiet").returncode == 0
    with (tmp_path / "list.txt").open() as file:
        piped = subprocess.run(
            command("batch", "--from", "-", "--resume", tmp_path / "b"), stdin=file, env=environment(), check=False, timeout=180
        )
    assert piped.returncode == 0
    assert_same(tmp_path / "a", tmp_path / "b")
    assert_one_line(run("batch", "--from", "-", "--output", tmp_path / "c"), 1, "standard input: contains no names of inputs")
    assert_one_line(run("batch", "--from", tmp_path / "none.txt", "--output", tmp_path / "c"), 1, "none.txt: no such list")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.jpg"], "--output FOLDER is missing"),
        (["--output", "r"], "no inputs"),
        (["a.jpg", "--output", "r", "--resume", "r"], "--output and --resume cannot be combined"),
        (["--output", "r", "--resume", "r", "--merge", "r"], "--output, --resume and --merge cannot be combined"),
        (["a.jpg", "--merge", "r"], "--merge takes no inputs"),
        (["--merge", "r"], "contains no shards"),
        (["--resume", "r"], "contains no batch to resume"),
        (["a.jpg", "--output", "r", "--backend", "nothing"], "no backend 'nothing'"),
        (["a.jpg", "--output", "r", "--model", "none.onnx"], "none.onnx: no such model file"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command("batch", *arguments), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_terminal_shows_one_bar_for_all(inputs: Path, tmp_path: Path) -> None:
    shown = run_on_terminal("batch", inputs, "--output", tmp_path / "r")
    assert "of 18 inputs" in shown
    assert "1 failed" in shown


def test_a_node_of_a_ray_cluster_that_is_lost_loses_nothing(inputs: Path, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    done = subprocess.run(
        [sys.executable, "-m", "tests.batch.two_nodes", str(inputs), str(tmp_path / "r")],
        cwd=ROOT, env=environment({"RAY_USAGE_STATS_ENABLED": "0"}), capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    assert "killed with" in done.stdout, done.stderr
    assert "17 done, 1 failed" in done.stdout, done.stderr
    assert_same(tmp_path / "r", whole)


def test_ray_is_not_imported_unless_it_is_chosen() -> None:
    script = "import sys, emodetect.cli.commands.batch, emodetect.batch.run; print('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_cluster_without_its_engine_is_refused(tmp_path: Path) -> None:
    done = run("batch", PHOTO, "--output", tmp_path / "r", "--address", "auto")
    assert_one_line(done, 2, "--address requires --engine ray")
