"""Architectures of the user's own, the options of a recipe, and the table of runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emodetect.errors import UsageError
from emodetect.training import architectures
from emodetect.training.architectures import allow_own_code, architecture_named, is_architecture_name
from emodetect.training.data.labeled import LabeledFaces
from emodetect.training.hyperparameters import Settings
from emodetect.training.run_data import make_part, with_balanced_labels
from tests.cli.running import assert_one_line, run, run_here
from tests.training.data_sets import write_data_set

NETWORK = """
import keras
from keras import layers

def build():
    return keras.Sequential([
        keras.Input((48, 48, 1)),
        layers.Conv2D(4, 3, strides=4, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(LABELS, activation="softmax"),
    ])

NUMBER = 7

def two_layers():
    return keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(LABELS), layers.Softmax()])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module, a data set and a run of it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine_of_7.py").write_text(NETWORK.replace("LABELS", "7"))
    (folder / "mine_of_6.py").write_text(NETWORK.replace("LABELS", "6"))
    write_data_set(folder / "faces")
    options = ["--learning-rate", "0.01", "--class-weights", "balanced", "--augment", "strong", "--epochs", "1"]
    done = run("train", "--data", "faces", "--arch", "mine_of_7:build", *options, "--run-dir", "runs/mine", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "mine_of_7:build" in done.stderr
    return folder


def test_a_function_in_the_current_folder_is_trained_and_goes_on_only_where_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    settings = Settings.load(folder / "runs" / "mine")
    assert (settings.learning_rate, settings.class_weights, settings.augmentation) == (0.01, "balanced", "strong")

    refused = run_here("train", "--resume", "runs/mine", "--epochs", "2")
    assert_one_line(refused, 2, "mine_of_7:build is code of its own, which runs only if you name it", "--arch")
    other = run_here("train", "--resume", "runs/mine", "--arch", "baseline")
    assert_one_line(other, 2, "--arch cannot be combined with --resume: the run keeps its network, mine_of_7:build")
    exported = run_here("export", "runs/mine", "a.onnx")
    assert_one_line(exported, 2, "mine_of_7:build is code of its own", "best.keras")

    resumed = run("train", "--resume", "runs/mine", "--arch", "mine_of_7:build", "--epochs", "2", cwd=folder)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 2/2" in resumed.stderr


def test_runs_are_compared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = run_here("runs")
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    assert header.split()[0] == "run"
    assert row.startswith("runs/mine  mine_of_7:build")
    [record] = json.loads(run_here("runs", "runs/mine", "--format", "json").stdout)
    assert record["settings"]["augmentation"] == "strong"
    assert record["test_accuracy"] == json.loads((folder / "runs" / "mine" / "test.json").read_text())["accuracy"]
    assert_one_line(run_here("runs", "faces"), 1, "faces: holds no training run")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine_of_6:build", r"expected a Keras model from \(None, 48, 48, 1\) to \(None, 7\)"),
        ("mine_of_7:two_layers", r"expected a layer Dense\(7, activation='softmax'\) at the end"),
        ("mine_of_7:NUMBER", "is neither a function nor an Architecture"),
        ("mine_of_7:missing", "cannot be imported"),
        ("no_such_module:build", "cannot be imported"),
        ("resnet", "no architecture 'resnet'"),
    ],
)
def test_what_is_no_architecture_is_refused(name: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    allow_own_code(name)
    with pytest.raises(UsageError, match=message):
        architecture_named(name).build(architecture_named("baseline").heads)


def test_names_are_known_without_importing_them() -> None:
    assert all(map(is_architecture_name, (*architectures.ARCHITECTURE_NAMES, "a.b:c")))
    assert not any(map(is_architecture_name, ("resnet", "a:b:c", "os.system('x'):y", "")))


def test_balanced_weights_count_each_label_alike() -> None:
    heads = architecture_named("baseline").heads
    labels = np.asarray([0] * 6 + [1] * 3 + [3])
    part = make_part(LabeledFaces(np.zeros((10, 48, 48), np.uint8), labels, ("",) * 10), None, heads)

    (weights,) = with_balanced_labels(part, heads).weights

    assert weights.sum() == pytest.approx(10)
    assert [weights[labels == label].sum() for label in (0, 1, 3)] == pytest.approx([10 / 3] * 3)
