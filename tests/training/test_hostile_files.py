"""Files of a training run that anybody may have written: each is refused in one line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest

from emodetect.backends.conventions import Scaling
from emodetect.backends.keras_import import import_keras
from emodetect.backends.labels import EIGHT_LABELS
from emodetect.backends.metadata import ModelMetadata
from emodetect.cli.group import cli
from emodetect.errors import DatasetError, ModelError, OutputError
from emodetect.training.history import read_log
from emodetect.training.hyperparameters import Settings
from tests.builders import PHOTO
from tests.cli.running import assert_one_line, run
from tests.onnx_files import node, save_means
from tests.training.data_sets import write_data_set

SOUND: dict[str, Any] = {"data": "faces", "votes": None, "architecture": "baseline", "epochs": 3}


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": "3"}, {"epochs": 0}, {"epochs": 1.5}, {"epochs": True}, {"epochs": None}, {"epochs": [3]},
        {"seed": -1}, {"seed": "x"}, {"seed": 2**32}, {"epochs": 10**30}, {"batch_size": 0}, {"batch_size": "8"},
        {"validation_share": 0}, {"validation_share": 7}, {"validation_share": float("nan")}, {"validation_share": "0.1"},
        {"data": 3}, {"data": None}, {"data": "a\0b"}, {"votes": 1}, {"output": ["a.h5"]}, {"teachers": [1]}, {"teachers": 5},
        {"architecture": "vgg"}, {"architecture": ["baseline"]}, {"precision": "float8"}, {"unknown": 1},
    ],
    ids=lambda change: json.dumps(change),
)  # fmt: skip
def test_settings_that_no_run_has(tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(SOUND))
    assert Settings.load(tmp_path).epochs == 3

    file.write_text(json.dumps(SOUND | change))
    with pytest.raises(DatasetError, match="not the folder of a training run"):
        Settings.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"data": "faces"}', "3"], ids=lambda text: text[:9])
def test_settings_that_are_something_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(DatasetError, match="not the folder of a training run"):
        Settings.load(tmp_path)


def test_the_output_of_a_run_that_is_resumed_is_not_overwritten_unasked(tmp_path: Path) -> None:
    """A run's settings name its output; those of a stranger could name any file."""
    precious = tmp_path / "precious.h5"
    precious.write_bytes(b"precious")
    Settings(str(tmp_path), None, "baseline", 1, output=str(precious)).save(tmp_path)

    assert_one_line(
        run("train", "--resume", tmp_path), 1, "precious.h5: exists already", "--overwrite replaces it and keeps the run"
    )
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize(
    "text", ["loss\n1\n", "epoch\nx\n", "epoch\nnan\n", "epoch\n1,2\n", "epoch\n" + "9" * 200_000, "epoch\n1e999\n"],
    ids=["no epoch", "word", "nan", "too long a row", "huge", "infinite"],
)  # fmt: skip
def test_a_log_that_is_something_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"log\.csv: not the log of a training run"):
        read_log(path)


class TestCheckpoint:
    """The state is read before any network is looked at, so none is needed."""

    def refuse(self, path: Path, message: str) -> None:
        import_keras()
        from emodetect.training.checkpoint import Checkpoint

        with pytest.raises(DatasetError, match=f"cannot be resumed from.*{message}"):
            Checkpoint(path, "").restore(Variables(), None)

    def test_a_pickle_is_not_loaded(self, tmp_path: Path) -> None:
        mark, path = tmp_path / "mark", tmp_path / "checkpoint.npz"
        np.savez(path, **{"state-0": np.asarray([Payload(mark)], object)})  # type: ignore[arg-type]

        self.refuse(path, "allow_pickle")
        assert not mark.exists()
        np.load(path, allow_pickle=True)["state-0"]
        assert mark.exists()  # the payload works

    @pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(50)])
    def test_a_damaged_file(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "checkpoint.npz"
        path.write_bytes(content)
        self.refuse(path, "")

    def test_a_file_that_fills_the_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "checkpoint.npz"
        import_keras()
        monkeypatch.setattr("emodetect.training.checkpoint._MAX_BYTES", 2**20)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("state-0.npy", bytes(2**20 + 1))
        assert path.stat().st_size < 10_000
        self.refuse(path, "1 MB")


class Variables:
    """As much of a network as a checkpoint asks for before it fails: one variable."""

    class Variable:
        def assign(self, value: Any) -> None: ...

    class Optimizer:
        variables = ()

    variables = (Variable(),)
    optimizer = Optimizer()


class Payload:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_teacher_that_takes_other_pixels_is_refused(tmp_path: Path) -> None:
    from emodetect.training.architectures import Head
    from emodetect.training.distillation import distill

    metadata = ModelMetadata({"ferplus": EIGHT_LABELS}, Scaling.parse("-1..1")).to_json()
    outputs = [("ferplus", ("n", 7), onnx.TensorProto.FLOAT)]
    after = [node("Softmax", "logits", output="ferplus")]
    path = save_means(tmp_path / "t.onnx", after=after, outputs=outputs, shape=("n", 48, 48, 1), metadata=metadata)
    head = Head("ferplus", EIGHT_LABELS)

    with pytest.raises(ModelError, match=r"t\.onnx: expected a teacher that takes pixels from 0\.\.1, got -1\.\.1"):
        distill([np.eye(1, 8, dtype=np.float32)], [head], np.zeros((1, 48, 48), np.uint8), [path])


def test_a_teacher_is_looked_into_as_every_model_is(tmp_path: Path) -> None:
    from emodetect.training.distillation import distill
    from tests.backends.test_model_safety import save_external

    (tmp_path / "secret.bin").write_bytes(bytes(28))
    (tmp_path / "folder").mkdir()
    model = save_external(tmp_path / "folder" / "m.onnx", "../secret.bin")
    with pytest.raises(ModelError, match="outside its own folder"):
        distill([], [], np.zeros((1, 48, 48), np.uint8), [model])


def test_weights_to_start_from_are_looked_into(tmp_path: Path) -> None:
    import_keras()
    from emodetect.training.trainer import start_from

    path = tmp_path / "best.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(ModelError, match="behind a link"):
        start_from(Variables(), path)


def test_pictures_of_a_data_set_have_the_limit_on_pixels(tmp_path: Path) -> None:
    data = write_data_set(tmp_path, train=1, test=1)
    (data / "test" / "happy" / "large.jpg").write_bytes(PHOTO.read_bytes())

    done = run("evaluate", "--data", data / "test", "--max-pixels", "5000")

    assert_one_line(done, 1, "large.jpg: announces more than 5000 pixels", "--max-pixels")


def test_a_plot_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    from emodetect.training.plots import plot_confusion

    picture = tmp_path / "nowhere" / "a.png"
    with pytest.raises(OutputError, match="cannot be written"):
        plot_confusion([np.ones((7, 7), np.int64)], ["a"], picture)
    plot_confusion([np.ones((7, 7), np.int64)], ["a"], tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "faces", "--output", "link.h5"],
        ["evaluate", "--data", "faces", "--plot", "link.png"],
        ["evaluate", "--data", "faces", "--plot-calibration", "link.png"],
        ["export", "model.keras", "link.onnx"],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    precious, link = tmp_path / "precious", tmp_path / arguments[-1]
    precious.write_bytes(b"precious")
    link.symlink_to(precious)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(OutputError, match="is a symbolic link"):
        cli.main([*arguments, "--overwrite"], standalone_mode=False)
    assert precious.read_bytes() == b"precious"
    assert link.is_symlink()
