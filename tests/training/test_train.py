from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from random import Random

import numpy as np
import pytest
from rich.console import Console

from emodetect.cli.group import cli
from emodetect.errors import DatasetError, EmodetectError, OutputError, UsageError
from emodetect.training.architectures import architecture_named
from emodetect.training.history import read_log
from emodetect.training.hyperparameters import Settings
from emodetect.training.run_folder import RunFolder
from tests.builders import PHOTO, small_disk
from tests.cli.running import TIMEOUT, command, end, environment, handles_signals, log_lines, run, started
from tests.waiting import wait_until

RUN_FILES = (
    *("settings.json", "versions.json", "log.csv", "checkpoint.npz", "best.weights.h5", "best.keras"),
    *("curves.png", "confusion.png", "test.json", "summary.txt"),
)

ONE_THREAD = {
    "TF_DETERMINISTIC_OPS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}

TWO_AND_TWO = """
import sys
from pathlib import Path
from rich.console import Console
from emodetect.backends.keras_import import import_keras
from emodetect.training.trainer import train
from emodetect.training.hyperparameters import Settings

import_keras()
import tensorflow
tensorflow.config.run_functions_eagerly(True)

class StopAfterTwo(Console):
    def print(self, *parts, **options):
        if str(parts[0]).startswith("epoch 2/"):
            raise KeyboardInterrupt

for architecture in sys.argv[4:]:
    folder = Path(sys.argv[1], architecture)
    settings = Settings(data=sys.argv[2], votes=sys.argv[3], architecture=architecture, epochs=4, batch_size=8)
    train(settings, folder / "four", console=Console(quiet=True))
    try:
        train(settings, folder / "two", console=StopAfterTwo())
        raise SystemExit("was not interrupted")
    except KeyboardInterrupt:
        pass
    train(settings, folder / "two", resume=True, console=Console(quiet=True))
"""


def call(*arguments: object) -> None:
    """A command in this process: Keras is imported once for all of them."""
    cli.main([str(argument) for argument in arguments], standalone_mode=False)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", ["baseline", "deep-emotion", "compact"])
def test_each_network_trains_and_its_file_comes_back_through_every_command(
    name: str, data_set: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, onnx, folder = (
        tmp_path / ("model.h5" if name == "baseline" else "model.keras"),
        tmp_path / "model.onnx",
        tmp_path / "run",
    )
    extras = {"compact": ["--votes", votes], "deep-emotion": ["--show-attention", tmp_path / "faces.png", "--verbose"]}
    options = "--output", model, "--run-dir", folder, *extras.get(name, [])
    call("train", "--data", data_set, "--arch", name, "--epochs", 2, *options)
    assert [file for file in RUN_FILES if not (folder / file).is_file()] == []
    assert list((folder / "tensorboard").glob("events*"))
    assert [row["epoch"] for row in read_log(folder / "log.csv")] == [1, 2]
    output = capsys.readouterr()
    assert output.out == ""
    assert "epoch 2/2  loss" in output.err
    assert "Test (" in output.err
    assert output.err.count("42 faces to train on") + output.err.count("35 faces to train on") == 1
    if name == "deep-emotion":
        assert (tmp_path / "faces.png").stat().st_size > 1000
        said = output.err.splitlines()
        assert f"emodetect: data: {data_set}" in said
        assert "emodetect: network: deep-emotion, 2 epochs, batches of 32, seed 0" in said
        assert any(line.startswith("emodetect: computed in float32 by Keras 3.") for line in said)

    call("export", model, onnx)
    assert "largest difference" in capsys.readouterr().err

    call("evaluate", "--data", data_set / "test", "--model", model, "--model", onnx, "--votes", votes, "--format", "json")
    records = json.loads(capsys.readouterr().out)
    assert [record["model"] for record in records] == [str(model), str(onnx)]
    for key in ("accuracy", "confusion", "per_class"):
        assert records[0][key] == records[1][key]
    assert records[0]["votes"] == pytest.approx(records[1]["votes"], abs=1e-4)
    assert records[1]["difference"]["accuracy"] == 0
    assert records[0]["accuracy"] == pytest.approx(json.loads((folder / "test.json").read_text())["accuracy"])
    assert records[0]["votes"]["count_7"] == 20

    for file in [onnx] if name == "deep-emotion" else [model, onnx]:
        call("image", PHOTO, "--model", file, "--format", "json")
        (photo,) = json.loads(capsys.readouterr().out)
        assert len(photo["faces"]) == 1


def test_a_network_learns_and_the_tutorials_own_lines_give_the_accuracy_that_evaluate_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cv2
    import keras

    from tests.training.data_sets import write_data_set

    data, model = write_data_set(tmp_path / "data", train=40, test=3), tmp_path / "model.h5"
    options = "--arch", "baseline", "--epochs", 6, "--batch-size", 16
    call("train", "--data", data, *options, "--output", model, "--run-dir", tmp_path / "run")
    rows = read_log(tmp_path / "run" / "log.csv")
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert max(row["val_fer2013"] for row in rows) > 0.5

    capsys.readouterr()
    call("evaluate", "--data", data / "test", "--model", model, "--format", "json")
    (record,) = json.loads(capsys.readouterr().out)

    names = {0: "Angry", 1: "Disgust", 2: "Fear", 3: "Happy", 4: "Neutral", 5: "Sad", 6: "Surprise"}
    network = keras.models.load_model(model)
    right = []
    for path in sorted((data / "test").glob("*/*.png")):
        face = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (48, 48)) / 255.0
        answer = names[int(np.argmax(network.predict(np.reshape(face, (1, 48, 48, 1)), verbose=0)))]
        right.append(answer.lower() == path.parent.name)
    assert record["accuracy"] == np.mean(right)


def test_lines_are_folded_between_words_on_a_terminal_and_kept_whole_elsewhere() -> None:
    from emodetect.training.console import print_plain

    text = "epoch 1/3  loss 1.972  accuracy 0.089  val_loss 1.947 [angry]"
    for terminal, expected in ((True, ["epoch 1/3  loss 1.972", "accuracy 0.089  val_loss", "1.947 [angry]"]), (False, [text])):
        shown = StringIO()
        print_plain(Console(file=shown, force_terminal=terminal, width=24), text)
        assert [line.strip() for line in shown.getvalue().splitlines()] == expected


def test_the_summary_names_the_epoch_that_was_kept() -> None:
    from emodetect.training.trained_model import best_epoch

    heads = architecture_named("compact").heads
    assert [head.learns for head in heads] == ["label", "votes", "face"]
    scores = [(0.60, 0.80, 0.99), (0.62, 0.80, 0.90)]  # what tells faces does not count
    rows = [{f"val_{head.name}": value for head, value in zip(heads, row, strict=True)} for row in scores]
    assert best_epoch(rows, heads) is rows[1]


@pytest.mark.parametrize(("seconds", "words"), [(0.8, "1 second"), (21.4, "21 seconds"), (121, "2 minutes")])
def test_a_short_run_took_seconds(seconds: float, words: str) -> None:
    from emodetect.training.trained_model import duration

    assert duration(seconds) == words


def test_the_bar_leaves_room_for_what_a_terminal_shows_of_an_interrupt() -> None:
    from emodetect.backends.keras_import import import_keras

    import_keras()
    from emodetect.training.callbacks import ProgressBar

    shown = StringIO()
    bar = ProgressBar(Console(file=shown, force_terminal=True, color_system=None, width=80), 900, 100, 98)
    bar.on_train_begin()
    bar.on_epoch_begin(99)
    bar.on_train_batch_end(0, {"loss": 1.9, "accuracy": 0.5})
    bar.close()
    rows = [part.split("\x1b")[0].rstrip() for part in shown.getvalue().replace("\x1b[2K", "\r").split("\r")]
    (*_, last) = (row for row in rows if row.startswith("epoch 100/100"))
    assert "accuracy 0.500" in last
    assert len(last) <= 78


def test_two_and_two_epochs_equal_four(data_set: Path, votes: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", TWO_AND_TWO, str(tmp_path), str(data_set), str(votes), "baseline", "compact"],
        env=environment({**ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}),
        timeout=2 * TIMEOUT,
        check=True,
    )
    for folder in (tmp_path / "baseline", tmp_path / "compact"):
        with np.load(folder / "four" / "checkpoint.npz") as four, np.load(folder / "two" / "checkpoint.npz") as two:
            assert four.files == two.files
            for name in four.files:
                np.testing.assert_allclose(two[name], four[name], atol=1e-5, err_msg=name)
        logs = [read_log(folder / name / "log.csv") for name in ("four", "two")]
        for row in (*logs[0], *logs[1]):
            row.pop("seconds")
        assert logs[0] == logs[1]


def test_an_interrupt_in_mid_epoch_leaves_a_run_that_resumes(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "run", tmp_path / "model.keras"
    output.write_bytes(b"an older model")
    arguments = command("train", "--data", data_set, "--arch", "baseline", "--epochs", "100000", "--run-dir", folder)
    arguments += ["--output", str(output), "--overwrite"]
    with subprocess.Popen(arguments, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("epoch 2/"):
            assert line, "ended too early"
        process.send_signal(signal.SIGINT)
        message = process.stderr.read()
        assert process.wait(TIMEOUT) == 130
    assert f"emodetect train --resume {folder} --overwrite\n" in message
    done = len(read_log(folder / "log.csv"))
    with np.load(folder / "checkpoint.npz") as checkpoint:
        assert done - 1 <= int(checkpoint["epoch"]) <= done
        done = int(checkpoint["epoch"])
    call("train", "--resume", folder, "--overwrite", "--epochs", done + 1)
    assert f"epoch {done + 1}/{done + 1}" in capsys.readouterr().err
    assert [row["epoch"] for row in read_log(folder / "log.csv")] == list(range(1, done + 2))
    assert RunFolder(folder).summary.is_file()


def test_a_run_goes_on_with_its_own_data_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.training.data_sets import write_data_set

    data, folder = write_data_set(tmp_path / "data"), tmp_path / "run"
    call("train", "--data", data, "--arch", "baseline", "--epochs", 1, "--run-dir", folder)
    (data / "train" / "angry" / "im0000.png").rename(data / "train" / "sad" / "moved.png")
    for arguments in (("train", "--resume", folder, "--epochs", 2), ("export", folder, tmp_path / "model.onnx")):
        with pytest.raises(DatasetError, match=r"run: the data of this run .* changed after its last epoch"):
            call(*arguments)
    assert len(read_log(folder / "log.csv")) == 1
    (data / "train" / "sad" / "moved.png").rename(data / "train" / "angry" / "im0000.png")
    (folder / "log.csv").unlink()
    capsys.readouterr()
    call("train", "--resume", folder, "--epochs", 2)
    assert "log.csv tells of 0 of the 1 finished epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("moment", "seconds", "seed", "number", "code"),
    [
        ("the start", 6.0, 1, signal.SIGTERM, 143),
        ("the start", 6.0, 2, signal.SIGINT, 130),
        ("a checkpoint", 0.02, 3, signal.SIGTERM, 143),
        ("the look at test", 0.3, 4, signal.SIGINT, 130),
    ],
)
def test_an_interrupt_at_any_other_moment_leaves_a_run_that_resumes(
    moment: str, seconds: float, seed: int, number: int, code: int, data_set: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    epochs = 2 if moment == "the look at test" else 100_000
    rows = {"the start": 0, "a checkpoint": 3, "the look at test": 2}[moment]  # one is written just before its checkpoint
    arguments: list[str | Path] = ["--data", data_set, "--arch", "baseline", "--epochs", str(epochs), "--run-dir", folder]
    with started("train", *arguments) as process:
        wait_until(lambda: handles_signals(process.pid), "the handlers")
        wait_until(lambda: rows == 0 or len(log_lines(folder / "log.csv")) > rows, moment, every=0.002)
        time.sleep(Random(seed).uniform(0, seconds))
        process.send_signal(number)
        errors = end(process)
    if moment == "the look at test" and process.returncode == 0:  # it was over before the signal came
        assert RunFolder(folder).summary.is_file()
        return
    assert process.returncode == code, errors
    said = [line for line in errors.splitlines() if line and not line.startswith(("epoch ", "35 faces "))]
    resume, interrupted = f"emodetect: resume with: emodetect train --resume {folder}", "emodetect: interrupted"
    assert said == [*([resume] if RunFolder(folder).holds_run() else []), *([interrupted] if code == 130 else [])]
    if rows:
        logged = len(read_log(folder / "log.csv"))
        with np.load(folder / "checkpoint.npz") as checkpoint:
            assert int(checkpoint["epoch"]) in (logged - 1, logged)
        call("train", "--resume", folder, "--epochs", logged)
        assert [row["epoch"] for row in read_log(folder / "log.csv")] == list(range(1, logged + 1))
        assert RunFolder(folder).summary.is_file()


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(data_set: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=12m") as disk:
        done = run("train", "--data", data_set, "--arch", "baseline", "--epochs", "1", "--run-dir", disk / "run")
        assert done.returncode == 1
        _, message = done.stderr.splitlines()  # the first counts the faces
        assert message.endswith("best.weights.h5: cannot be written (No space left on device)")
        assert sorted(file.name for file in (disk / "run").iterdir()) == ["settings.json", "tensorboard", "versions.json"]


def test_a_broken_data_set_gives_one_line(tmp_path: Path) -> None:
    from tests.training.data_sets import write_data_set

    data = write_data_set(tmp_path / "data", train=1, test=1)
    (data / "train" / "fear" / "im0000.png").write_bytes(b"x")
    with pytest.raises(EmodetectError, match=r"^.*im0000\.png: not an image that can be read"):
        call("train", "--data", data, "--arch", "baseline", "--epochs", 1, "--run-dir", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_faces_to_set_some_aside_are_named(tmp_path: Path) -> None:
    from emodetect.training.run_data import prepare
    from tests.training.data_sets import write_data_set

    data = write_data_set(tmp_path / "data", train=1, test=1)
    settings = Settings(data=str(data), votes=None, architecture="baseline", epochs=1)
    with pytest.raises(DatasetError, match="too few faces for angry"):
        prepare(settings, architecture_named("baseline"))


def test_what_does_not_go_together_is_misuse(data_set: Path, tmp_path: Path) -> None:
    Settings(data=str(data_set), votes=None, architecture="baseline", epochs=1).save(tmp_path)
    for arguments, message in (
        (["train"], "--data is missing"),
        (["train", "--resume", tmp_path, "--seed", 3], "--seed cannot be combined with --resume"),
        (["train", "--data", data_set, "--arch", "baseline", "--show-attention", "a.png"], "--show-attention requires"),
    ):
        with pytest.raises(UsageError, match=message):
            call(*arguments)
    with pytest.raises(DatasetError, match="not the folder of a training run"):
        call("train", "--resume", tmp_path / "nothing")
    with pytest.raises(OutputError, match="holds a run already"):
        call("train", "--data", data_set, "--arch", "baseline", "--epochs", 1, "--run-dir", tmp_path)


def test_an_output_that_exists_is_refused_before_training(data_set: Path, tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        call("train", "--data", data_set, "--output", tmp_path / "model.h5", "--run-dir", tmp_path / "run")
    with pytest.raises(OutputError, match=r"expected a name ending in \.h5, \.keras"):
        call("train", "--data", data_set, "--output", tmp_path / "model.onnx", "--run-dir", tmp_path / "run")
