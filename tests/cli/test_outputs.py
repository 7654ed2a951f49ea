"""Nothing of the user's is lost: what a command reads it never writes to, and what it writes is one file each."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from emodetect.cli.group import cli
from emodetect.errors import EmodetectError, OutputError
from emodetect.sources.images import read_image
from emodetect.system.output_files import open_output
from emodetect.types import Image
from tests.builders import PHOTO, MovingClip
from tests.cli.running import TIMEOUT, assert_one_line, command, environment, run

COPIES = 400
"""Photos of which the results do not fit into a pipe: the program waits for its reader."""


def call(*arguments: object) -> None:
    """A command in this process."""
    cli.main([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def folder(tmp_path: Path, moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a photo, a clip, files of every kind that commands read, and other names of some of them."""
    shutil.copy(PHOTO, tmp_path / "a.jpg")
    shutil.copy(moving_clip.path, tmp_path / "c.mp4")
    for name in ("log.jsonl", "font.ttf", "cascade.xml", "config.toml", "votes.csv", "model.h5", "teacher.onnx", "net.keras"):
        (tmp_path / name).write_text("")
    for name, other in (("c.mp4", "c.mkv"), ("config.toml", "o.jsonl"), ("font.ttf", "o.csv"), ("cascade.xml", "o.png")):
        (tmp_path / other).hardlink_to(tmp_path / name)
    (tmp_path / "o.html").hardlink_to(tmp_path / "log.jsonl")
    (tmp_path / "o.onnx").hardlink_to(tmp_path / "model.h5")
    (tmp_path / "data" / "happy").mkdir(parents=True)
    shutil.copy(PHOTO, tmp_path / "data" / "happy" / "1.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "arguments",
    [
        "video c.mp4 --output c.mkv",
        "video c.mp4 --log o.jsonl --config config.toml",
        "video c.mp4 --log o.csv --font font.ttf",
        "video c.mp4 --plot o.png --cascade cascade.xml",
        "video c.mp4 --report o.html --model log.jsonl",
        "live --source c.mp4 --no-window --record c.mkv",
        "live --source c.mp4 --no-window --log o.csv --font font.ttf",
        "report log.jsonl",
        "report log.jsonl --output o.html",
        "report log.jsonl --clip o.html --output o.html",
        "image a.jpg --output o.png --cascade cascade.xml",
        "image a.jpg --sheet o.png --cascade cascade.xml",
        "image a.jpg --sheet a.jpg",
        "evaluate --data data --plot data/happy/1.png",
        "evaluate --data data --plot-calibration o.png --model cascade.xml",
        "export model.h5 o.onnx",
        "export model.h5 o.onnx --data data",
        "train --data data --output model.h5 --start model.h5",
        "train --data data --output model.h5 --start o.onnx",
        "train --data data --arch deep-emotion --show-attention data/happy/1.png",
    ],
)
def test_what_is_read_is_never_written_to(arguments: str) -> None:
    (Path("log.html")).hardlink_to("log.jsonl")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match=r"(itself|read by this command.*|read by the run|the configuration file); choose"):
        call(*arguments.split(), "--overwrite")
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("linked", [False, True])
def test_a_copy_of_a_photo_never_replaces_another_photo(linked: bool) -> None:
    Path("out").mkdir()
    other = Path("out", "a.jpg")
    shutil.copy(PHOTO, other)
    named = Path("b.jpg") if linked else other
    if linked:
        named.symlink_to(other)
    before = other.read_bytes()
    with pytest.raises(OutputError, match="is the photo itself"):
        call("image", "a.jpg", named, "--output", "out/", "--overwrite")
    assert other.read_bytes() == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "arguments",
    [
        "evaluate --data data --plot new.png --plot-calibration new.png",
        "evaluate --data data --plot new.png --plot-calibration data/../new.png",
        "train --data data --run-dir run --output run/best.keras",
        "train --data data --run-dir run --arch deep-emotion --show-attention run/curves.png",
    ],
)
def test_two_outputs_are_never_one_file(arguments: str) -> None:
    Path("run").mkdir()
    with pytest.raises(OutputError, match=r"named for another output|is a file of the run itself"):
        call(*arguments.split())


@pytest.mark.usefixtures("folder")
def test_a_run_that_is_to_be_replaced_is_not_what_the_new_one_starts_from() -> None:
    from emodetect.training.hyperparameters import Settings

    Path("run").mkdir()
    Settings(data="data", votes=None, architecture="baseline", epochs=1).save(Path("run"), ["settings.json", "best.weights.h5"])
    Path("run", "best.weights.h5").write_text("weights")
    with pytest.raises(OutputError, match=r"best.weights.h5: is read by this command \(--start\)|read by the run"):
        call("train", "--data", "data", "--start", "run/best.weights.h5", "--run-dir", "run", "--overwrite")
    assert Path("run", "best.weights.h5").read_text() == "weights"


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_a_second_run_on_a_log_is_one_line_and_changes_nothing(tmp_path: Path, moving_clip: MovingClip, name: str) -> None:
    log = tmp_path / name
    log.write_text("of before\n")
    descriptor = open_output(log, overwrite=True)
    os.write(descriptor, b"the first run's\n")

    with pytest.raises(EmodetectError, match="is being written by another run"):
        call("video", moving_clip.path, "--log", log, "--overwrite", "--quiet")
    assert log.read_text() == "the first run's\n"

    os.close(descriptor)
    call("video", moving_clip.path, "--log", log, "--overwrite", "--quiet", "--end", "0.2")
    assert "the first run's" not in log.read_text()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    shutil.copy(PHOTO, folder / "000.jpg")
    for number in range(1, COPIES):
        (folder / f"{number:03}.jpg").hardlink_to(folder / "000.jpg")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("output_format", ["jsonl", "csv", "json"])
def test_results_come_as_photos_are_read_and_stay_whole(photos: Path, output_format: str, number: signal.Signals) -> None:
    arguments = command("image", photos, "--format", output_format)
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        begin = process.stdout.readline() + process.stdout.readline()
        process.send_signal(number)
        text = (begin + process.stdout.read()).decode()
        assert process.wait(TIMEOUT) == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}[number]
    if output_format == "json":
        records = json.loads(text if number != signal.SIGKILL else text.rstrip() + "]")
        found = [record["path"] for record in records]
    else:
        assert text.endswith("\n")
        lines = text.splitlines()[output_format == "csv" :]
        found = [json.loads(line)["path"] if output_format == "jsonl" else line.split(",")[0] for line in lines]
        assert output_format == "jsonl" or all(line.count(",") == 18 for line in lines)
    assert found == [str(photos / f"{index:03}.jpg") for index in range(len(found))]
    assert 1 <= len(found) < COPIES


def test_the_table_shows_what_was_read_before_an_interrupt(photos: Path) -> None:
    arguments = command("image", photos, "--sheet", photos.parent / "sheet.png")
    with subprocess.Popen(
        [*arguments, "--verbose"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        while b"001.jpg" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        lines = process.stdout.read().decode().splitlines()
        assert process.wait(TIMEOUT) == 130
    assert "000.jpg" in lines[1]
    assert not (photos.parent / "sheet.png").exists()


def test_an_address_is_shown_without_its_secrets() -> None:
    done = run("image", "https://me:secret@host.example/a.jpg?token=abc", "--format", "json")
    assert_one_line(done, 1, "https://***@host.example/a.jpg?***: is an address, not a file; download the photo first")
    assert json.loads(done.stdout)[0]["path"] == "https://***@host.example/a.jpg?***"
    assert "secret" not in done.stdout + done.stderr


def test_results_do_not_wait_for_a_standard_error_that_is_full() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("image", "missing.jpg", PHOTO), stdout=subprocess.PIPE, stderr=full, text=True, timeout=TIMEOUT, check=False
        )
    assert done.returncode == 1
    assert "happy" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_photo_that_takes_more_memory_than_there_is_costs_no_other_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(path: Path) -> Image:
        if path.name == "b.jpg":
            raise MemoryError
        return read_image(path)

    for name in ("b.jpg", "c.jpg"):
        shutil.copy(PHOTO, name)
    monkeypatch.setattr("emodetect.sources.images.read_image", read)
    assert cli.main(["image", "a.jpg", "b.jpg", "c.jpg", "--format", "jsonl"], standalone_mode=False) == 1
    printed = capsys.readouterr()
    assert ["faces" in json.loads(line) for line in printed.out.splitlines()] == [True, False, True]
    assert "b.jpg: there is not enough memory for it" in printed.err
