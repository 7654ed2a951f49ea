"""scripts/train_on_gpu: two steps of everything, without a GPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.backends.keras_import import import_keras
from emodetect.training.architectures import architecture_named
from emodetect.training.data.dataset import read_faces
from emodetect.training.data.labeled import as_input
from emodetect.training.hyperparameters import Settings
from tests.training.data_sets import write_data_set, write_votes

SCRIPTS = Path(__file__).parents[2] / "scripts"

ANSWERS = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import numpy as np
import torch
from torch_networks import read_keras, write_keras
from torch_training import COLUMNS

network, _ = read_keras(Path(sys.argv[2]))
write_keras(network, Path(sys.argv[4]))
faces = torch.from_numpy(np.load(sys.argv[3])).permute(0, 3, 1, 2)
with torch.no_grad():
    logits = network.eval()(faces)
np.save(sys.argv[3], torch.cat([logits[:, columns].softmax(1) for columns in COLUMNS.values()], 1).numpy())
"""

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")


def run(*arguments: object) -> str:
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def torch_answers(weights: Path, faces: np.ndarray, tmp_path: Path) -> tuple[np.ndarray, Path]:
    """What the PyTorch network says with these weights, and the file that it writes of them."""
    batch, copy = tmp_path / "answers.npy", tmp_path / "copy.weights.h5"
    np.save(batch, as_input(faces))
    run("-c", ANSWERS, SCRIPTS, weights, batch, copy)
    return np.load(batch), copy


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A data set with votes and negatives, as the options call them."""
    folder = tmp_path_factory.mktemp("data")
    data_set = write_data_set(folder / "faces")
    negatives = folder / "negatives"
    negatives.mkdir()
    for number in range(4):
        assert cv2.imwrite(str(negatives / f"picture{number}-0.png"), np.full((48, 48), 60 * number, np.uint8))
    return {"--data": data_set, "--votes": write_votes(folder / "votes.csv", data_set), "--negatives": negatives}


def test_teachers_and_student_train_go_on_and_become_a_run_that_keras_reads(data: dict[str, Path], tmp_path: Path) -> None:
    script, packed, output, finished = SCRIPTS / "train_on_gpu", tmp_path / "packed", tmp_path / "output", tmp_path / "run"
    options = [text for pair in data.items() for text in pair]
    assert "35 faces to train on, 7 for validation" in run(script, "pack", *options, "--output", packed)

    train = [script, "train", packed, "--output", output, "--device", "cpu", "--batch", 16, "--steps", 2, "--teacher-count", 1]
    said = run(*train, "--teacher-epochs", 1, "--epochs", 1)
    assert "teacher-0 epoch 1/1" in said
    assert "student epoch 1/1" in said
    assert (output / "teacher-0.pt").stat().st_size < 16 * 2**20
    again = run(*train, "--epochs", 2)
    assert "teacher-0 epoch" not in again  # it has its weights already
    assert "student epoch 1/" not in again
    assert "student epoch 2/2" in again
    assert "fitted on faces that are not mixed" in again
    log = json.loads((output / "log.json").read_text())["student"]
    assert [row["epoch"] for row in log["epochs"]] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in log["epochs"])

    run(script, "finish", output, finished, *options)
    settings = Settings.load(finished)
    assert (settings.architecture, settings.epochs, settings.seed) == ("compact-deep", 2, 1)
    faces = read_faces(data["--data"] / "test").images
    expected, _ = torch_answers(finished / "best.weights.h5", faces, tmp_path)
    architecture = architecture_named(settings.architecture)
    import_keras().config.set_dtype_policy("float32")
    model = architecture.build(architecture.heads)
    model.load_weights(finished / "best.weights.h5")
    np.testing.assert_allclose(np.concatenate(model.predict(as_input(faces), verbose=0), axis=1), expected, atol=1e-4)


def test_two_workers_learn_from_answers_that_were_kept(data: dict[str, Path], tmp_path: Path) -> None:
    script, packed, output, finished = SCRIPTS / "train_on_gpu", tmp_path / "packed", tmp_path / "output", tmp_path / "run"
    options = [text for pair in data.items() for text in pair]
    run(script, "pack", *options, "--output", packed)
    weights = SCRIPTS.parent / "docs" / "runs" / "compact" / "best.weights.h5"
    assert "those and the votes" in run(script, "teach", packed, "--weights", weights)
    answers = np.load(packed / "taught.npz")["taught"]
    assert answers.shape[1] == 17
    known = answers[: (np.load(packed / "targets.npz")["training_labels"] >= 0).sum()].astype(float)
    for head in (known[:, :7], known[:, 7:15]):
        np.testing.assert_allclose(head.sum(axis=1), 1, atol=0.01)

    train = [script, "train", packed, "--output", output, "--device", "cpu", "--arch", "compact", "--start", weights]
    said = run(*train, "--teachers", "taught", "--workers", 2, "--batch", 8, "--steps", 6, "--epochs", 2)
    assert "student epoch 2/2" in said
    run(script, "finish", output, finished, *options, "--arch", "compact")
    assert Settings.load(finished).architecture == "compact"
    face = np.full((1, 48, 48), 128, np.uint8)
    moved, before = (torch_answers(path, face, tmp_path)[0] for path in (finished / "best.weights.h5", weights))
    assert np.abs(moved - before).max() > 0
    assert np.isfinite(moved).all()


def test_time_and_a_signal_end_a_training(data: dict[str, Path], tmp_path: Path) -> None:
    script, packed, output = SCRIPTS / "train_on_gpu", tmp_path / "packed", tmp_path / "output"
    run(script, "pack", *[text for pair in data.items() for text in pair], "--output", packed)
    train = [script, "train", packed, "--output", output, "--device", "cpu", "--teachers", "none", "--epochs", 10**6]
    command = [sys.executable, *map(str, train)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "student epoch 2/" in line)
        process.terminate()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "the same command goes on" in rest
    done = len(json.loads((output / "log.json").read_text())["student"]["epochs"])
    assert done >= 2

    said = run(*train, "--minutes", 0.01)
    assert f"student epoch {done + 1}/" in said or "best on validation" in said
    assert done <= len(json.loads((output / "log.json").read_text())["student"]["epochs"]) < 10**5


def test_kerass_own_weights_compute_the_same_in_pytorch(tmp_path: Path) -> None:
    weights = SCRIPTS.parent / "docs" / "runs" / "compact" / "best.weights.h5"
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    found, copy = torch_answers(weights, faces, tmp_path)
    architecture = architecture_named("compact")
    import_keras().config.set_dtype_policy("float32")
    model = architecture.build(architecture.heads)
    for path in (weights, copy):
        model.load_weights(path)
        np.testing.assert_allclose(np.concatenate(model.predict(as_input(faces), verbose=0), axis=1), found, atol=1e-5)


def test_a_grown_network_computes_the_same(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import torch
from torch_networks import BLOCKS, compact, grow, read_keras

older, blocks = read_keras(Path(sys.argv[2]))
grown = compact(BLOCKS["compact-deep"])
grow(grown, BLOCKS["compact-deep"], older, blocks)
faces = torch.rand(4, 1, 48, 48)
with torch.no_grad():
    print(float((grown.eval()(faces) - older.eval()(faces)).abs().max()))
"""
    weights = SCRIPTS.parent / "docs" / "runs" / "compact" / "best.weights.h5"
    assert float(run("-c", code, SCRIPTS, weights)) < 1e-4


def test_both_write_down_the_same_blocks() -> None:
    from emodetect.training.architectures import compact

    code = "import sys; sys.path.insert(0, sys.argv[1]); from torch_networks import BLOCKS; print(BLOCKS)"
    blocks = eval(run("-c", code, SCRIPTS))
    assert blocks == {"compact": compact._BLOCKS, "compact-deep": compact._DEEP_BLOCKS}
