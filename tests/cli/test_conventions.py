"""The options that say what a model file does not: on every command that reads one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from emodetect.backends.cnn import create_cnn
from emodetect.backends.metadata import KEY
from emodetect.cli.group import cli
from emodetect.errors import UsageError
from tests.builders import PHOTO, MovingClip
from tests.cli.running import assert_one_line, run, run_here
from tests.onnx_files import constant, node, save_means

ASSUMED = (
    "emodetect: m.onnx: assumed, as the file does not say: labels angry, disgust, fear, happy, neutral, sad, surprise "
    "(in alphabetical order); scaling 0..1; channels rgb (--labels, --scaling, --channels change that)"
)

FER2013 = "angry,disgust,fear,happy,sad,surprise,neutral"

SAID = ["--labels", FER2013, "--scaling", "0..1", "--channels", "bgr"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_means(tmp_path / "m.onnx", shape=("n", 3, 48, 48))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Faces whose brightness is what the network of `save_means` looks at."""
    import cv2

    for label, level in (("angry", 250), ("happy", 100), ("sad", 10)):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for number in range(3):
            cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 48), level + number, np.uint8))
    return tmp_path / "data"


def test_what_is_assumed_is_said_once_on_standard_error(model: Path, tmp_path: Path) -> None:
    shutil.copy(PHOTO, tmp_path / "again.jpg")
    done = run("image", PHOTO, tmp_path / "again.jpg", "--model", model, "--format", "json")

    assert done.returncode == 0
    assert done.stderr.splitlines() == [ASSUMED]
    assert [face["emotion"] for image in json.loads(done.stdout) for face in image["faces"]] == ["happy", "happy"]


@pytest.mark.parametrize("arguments", [["--quiet"], SAID, ["--model", "embedded"]], ids=["quiet", "all-said", "embedded"])
def test_nothing_is_said_where_nothing_is_assumed_or_wanted(model: Path, arguments: list[str]) -> None:
    done = run("image", PHOTO, "--model", model, "--format", "json", *arguments)

    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_said_of_mirrored_views_too(model: Path) -> None:
    done = run("image", PHOTO, "--model", model, "--views", "2", "--format", "json")

    assert (done.returncode, done.stderr.splitlines()) == (0, [ASSUMED])


def test_clips_and_live_say_it_once(model: Path, moving_clip: MovingClip, tmp_path: Path) -> None:
    clip = run("video", moving_clip.path, "--log", tmp_path / "v.jsonl", "--model", model)
    live = run("live", "--source", moving_clip.path, "--no-window", "--log", tmp_path / "l.jsonl", "--model", model)

    for done in (clip, live):
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("assumed") == 1
        assert ASSUMED in done.stderr.splitlines()
    assert run("video", moving_clip.path, "--log", tmp_path / "q.jsonl", "--model", model, "--quiet").stderr == ""


def test_variables_and_the_file_say_it_as_the_command_line_does(model: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "config.toml"
    configuration.write_text(f'labels = "{FER2013}"\nscaling = "0..1"\n')
    done = run(
        "image", PHOTO, "--model", model, "--config", configuration, "--format", "json", env={"EMODETECT_CHANNELS": "gray"}
    )

    assert (done.returncode, done.stderr) == (0, "")
    wrong = run("image", PHOTO, "--model", model, env={"EMODETECT_SCALING": "-1,1"})
    assert wrong.returncode == 2
    assert "did you mean -1..1? (from the variable EMODETECT_SCALING)" in wrong.stderr


def test_evaluate_takes_them(model: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def accuracy(*arguments: str) -> float:
        cli.main(["evaluate", "--data", str(data), "--model", str(model), "--format", "json", *arguments], standalone_mode=False)
        return float(json.loads(capsys.readouterr().out)[0]["accuracy"])

    assert accuracy() == 1
    assert accuracy("--scaling", "-1..1") < 1
    assert accuracy("--labels", FER2013) == pytest.approx(2 / 3)


def test_bench_measures_a_file_that_needs_them(model: Path, moving_clip: MovingClip) -> None:
    done = run(
        "bench", "--source", moving_clip.path, "--frames", "12", "--rounds", "1", "--model", model, *SAID, "--format", "json"
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [record["model"] for record in json.loads(done.stdout)] == ["embedded", str(model)]
    assert_one_line(run("bench", "--model", "ferplus", "--scaling", "0..1"), 2, "--scaling: no model file is measured")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scaling", "0..1"], "--scaling requires --model FILE"),
        (["--channels", "bgr", "--output-name", "a"], "--channels, --output-name require --model FILE"),
        (["--backend", "deepface", "--scaling", "0..1"], "--scaling cannot be combined with --backend deepface"),
    ],
)
def test_the_embedded_network_and_deepface_take_none(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cli.main(["image", str(PHOTO), *arguments], standalone_mode=False)


class TestExport:
    def test_all_of_it_is_written_into_the_file(self, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        target = tmp_path / "said.onnx"
        arguments = ["--labels", FER2013, "--scaling", "imagenet", "--channels", "bgr"]
        cli.main(["export", str(model), str(target), *arguments], standalone_mode=False)

        assert f"said.onnx: largest difference to {model} 0 " in capsys.readouterr().err
        said = json.loads({entry.key: entry.value for entry in onnx.load(target).metadata_props}[KEY])
        assert (said["labels"], said["channels"]) == ({"y": FER2013.split(",")}, "bgr")
        assert (len(said["scale"]), len(said["offset"])) == (3, 3)
        with create_cnn(str(target)) as backend:
            assert backend.description is not None
            assert backend.description.note == ""
            assert str(backend.description.scaling.value) == "imagenet"

    def test_of_several_outputs_the_chosen_one_is_remembered(self, tmp_path: Path) -> None:
        none = [constant("no", np.zeros((7, 7), np.float32)), constant("angry", np.eye(1, 7, dtype=np.float32)[0] * 9)]
        after = [node("Gemm", "logits", "no", "angry", output="first"), node("Identity", "logits", output="second")]
        outputs = [(name, ("n", 7), onnx.TensorProto.FLOAT) for name in ("first", "second")]
        source = save_means(tmp_path / "two.onnx", after=after, constants=none, outputs=outputs)
        cli.main(["export", str(source), str(tmp_path / "said.onnx"), "--output-name", "second"], standalone_mode=False)

        with create_cnn(str(tmp_path / "said.onnx")) as backend:
            assert backend.description is not None
            assert (backend.description.output.value, backend.description.output.origin) == ("second", "metadata")

    @pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
    def test_a_model_of_keras_2(self, tmp_path: Path) -> None:
        from emodetect.backends.keras_import import import_keras2

        layers = (keras := import_keras2()).layers
        inputs = keras.Input((48, 48, 1))
        x = layers.SeparableConv2D(8, 3, activation="relu")(layers.Rescaling(1 / 255)(inputs))
        x = layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, [layers.Dense(2, name="gender")(x), layers.Dense(7, "softmax", name="emotion")(x)])
        model.save(tmp_path / "old.h5")
        cli.main(["export", str(tmp_path / "old.h5"), str(tmp_path / "new.onnx")], standalone_mode=False)

        pictures = [np.full((40, 40, 3), level, np.uint8) for level in (0, 90, 255)]
        with create_cnn(str(tmp_path / "old.h5")) as old, create_cnn(str(tmp_path / "new.onnx")) as new:
            np.testing.assert_allclose(old.classify(pictures), new.classify(pictures), atol=1e-5)
            assert new.description is not None
            assert new.description.note == ""
            assert str(new.description.scaling.value) == "0..255"
            assert [output.name for output in new.description.outputs] == ["gender", "emotion"]


class TestInspect:
    def test_the_table_names_the_option_for_each_assumption(self, model: Path) -> None:
        done = run_here("inspect", model)

        assert (done.returncode, done.stderr) == (0, "")
        rows = {line[:14].strip(): line[14:].split(maxsplit=2) for line in done.stdout.splitlines()[1:]}
        assert rows["channels"] == ["assumed", "--channels", "rgb"]
        assert rows["scaling"][0] == "assumed"
        assert "--scaling" in done.stdout
        assert "(any, 3, 48, 48) float32" in done.stdout
        assert "angry, disgust, fear, happy, neutral, sad, surprise" in done.stdout

    def test_json_has_all_of_it(self, model: Path) -> None:
        found = json.loads(run_here("inspect", model, "--format", "json", "--scaling", "-1..1").stdout)

        assert found["input"] == {"name": "x", "shape": [None, 3, 48, 48], "type": "float32"}
        assert found["outputs"] == [{"name": "y", "shape": [None, 7], "read": True}]
        assert found["scaling"] == {
            "value": {"name": "-1..1", "scale": [pytest.approx(2 / 255)], "offset": [-1.0]}, "from": "option", "reason": "",
        }  # fmt: skip
        assert found["channels"] == {"value": "rgb", "from": "assumed", "reason": ""}
        assert found["labels"]["reason"] == "in alphabetical order"
        assert (found["format"], found["parameters"], found["scores"]) == ("ONNX, opset 18", 18, "logits")

    def test_the_embedded_network(self) -> None:
        done = run_here("inspect", "ferplus")

        assert (done.returncode, done.stderr) == (0, "")
        assert "contempt" in done.stdout
        assert "--labels" not in done.stdout

    def test_what_is_no_model(self, tmp_path: Path) -> None:
        assert_one_line(run_here("inspect", tmp_path / "none.h5"), 1, "none.h5: no such model file")
