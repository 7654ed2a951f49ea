"""``evaluate --try-conventions``, with networks whose conventions are known."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from emodetect.backends.conventions import Scaling
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.cli.group import cli
from emodetect.errors import DatasetError, UsageError
from emodetect.training.conventions_trial import ORDERS, sample_faces
from emodetect.training.data.dataset import read_crops
from emodetect.types import EMOTIONS
from tests.builders import shared_data
from tests.cli.running import assert_one_line, run
from tests.training.data_sets import make_face

LABELS = [emotion.value for emotion in EMOTIONS]
ODD = ("happy", "neutral", "angry", "surprise", "fear", "sad", "disgust")


def write_faces(folder: Path, count: int, *, blue_only: bool = False) -> Path:
    """``folder/<label>/*`` with the stripes of `make_face`; in color, they are in the blue channel alone."""
    for label, name in enumerate(LABELS):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            face = make_face(label, number)
            if blue_only:
                noise = np.random.default_rng(number).integers(0, 60, (48, 48, 3), np.uint8)
                noise[..., 0] = face
                face = noise
            assert cv2.imwrite(str(folder / name / f"{number}.png"), face)
    return folder


def write_stripe_reader(path: Path, labels: Sequence[str], *, channels: int = 1) -> Path:
    """A network that tells the labels of `make_face` by the darkness of rows, of pixels from -1 to 1 alone.

    With three channels it looks at the first one only. Contempt is what it never answers.
    """
    rows = np.zeros((48, len(labels)), np.float32)
    for place, label in enumerate(labels):
        if label in LABELS:
            top = 4 + 6 * LABELS.index(label)
            rows[top : top + 4, place] = -1.0
    bias = np.asarray([-20.0 * (label not in LABELS) for label in labels], np.float32)
    values: dict[str, npt.NDArray[Any]] = {
        "first": np.eye(channels, 1, dtype=np.float32),
        "rows": rows,
        "bias": bias,
        "end": np.asarray(1.05, np.float32),
        "ten": np.asarray(10, np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["gray"]),
        helper.make_node("Neg", ["gray"], ["negative"]),
        helper.make_node("Relu", ["negative"], ["dark"]),
        helper.make_node("Sub", ["negative", "end"], ["beyond"]),
        helper.make_node("Relu", ["beyond"], ["outside"]),
        helper.make_node("Mul", ["outside", "ten"], ["punished"]),
        helper.make_node("Sub", ["dark", "punished"], ["darkness"]),
        helper.make_node("ReduceMean", ["darkness"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "rows"], ["sums"]),
        helper.make_node("Add", ["sums", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    return write_onnx(path, nodes, values, channels, "scores", len(labels))


def write_permuted(path: Path, order: Sequence[int], scaling: str) -> Path:
    """The embedded network as somebody else might have saved it: without metadata, its labels and its input otherwise."""
    model = onnx.load(str(EMBEDDED))
    del model.metadata_props[:]
    inner = model.graph.input[0].name
    [scale], [offset] = Scaling.parse(scaling).scale, Scaling.parse(scaling).offset
    nodes = [
        helper.make_node("MatMul", ["x", "undo"], ["scaled"]),  # a layer that could have been learned
        helper.make_node("Add", ["scaled", "shift"], [inner]),
        *model.graph.node,
        helper.make_node("Gather", ["fer2013", "order"], ["answer"], axis=1),
    ]
    values = {
        "undo": np.asarray([[1 / (255 * scale)]], np.float32),
        "shift": np.asarray([-offset / (255 * scale)], np.float32),
        "order": np.asarray(order, np.int64),
        **{tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer},
    }
    return write_onnx(path, nodes, values, 1, "answer", len(order), opset=model.opset_import[0].version)


def write_onnx(
    path: Path, nodes: Sequence[Any], values: dict[str, npt.NDArray[Any]], channels: int, output: str, count: int, opset: int = 13
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 48, 48, channels])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", count])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(path))
    return path


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces") / "test", 20)


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    cli.main(["evaluate", "--try-conventions", *map(str, arguments), "--format", "json"], standalone_mode=False)
    [record] = json.loads(capsys.readouterr().out)
    return record


@pytest.mark.parametrize(
    ("count", "name"), [(7, "alphabetical"), (7, "RAF-DB"), (7, "AffectNet"), (7, "FER+"), (8, "FER+"), (8, "AffectNet")]
)
def test_order_and_scaling_are_found(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, name: str
) -> None:
    labels = ORDERS[count][name]
    record = evaluate(capsys, "--data", faces, "--model", write_stripe_reader(tmp_path / "model.onnx", labels))
    best = record["best"]
    assert (best["order"], best["labels"], best["scaling"]) == (name, list(labels), "-1..1")
    assert best["balanced_accuracy"] == 1
    assert best["options"] == [f"--labels {','.join(labels)}", "--scaling=-1..1"]
    assert {margin["part"]: margin["sure"] for margin in record["margins"]} == {"labels": True, "scaling": True}
    assert record["count"] == 140
    assert not record["channels_are_open"]


def test_the_options_that_are_named_give_that_accuracy(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_stripe_reader(tmp_path / "model.onnx", ORDERS[7]["RAF-DB"])
    options = " ".join(evaluate(capsys, "--data", faces, "--model", model)["best"]["options"]).split()
    cli.main(["evaluate", "--data", str(faces), "--model", str(model), "--format", "json", *options], standalone_mode=False)
    output, errors = capsys.readouterr()
    assert json.loads(output)[0]["accuracy"] == 1
    assert errors == ""


def test_an_order_that_nobody_has_is_measured(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = evaluate(capsys, "--data", faces, "--model", write_stripe_reader(tmp_path / "model.onnx", ODD))
    assert (record["best"]["order"], record["best"]["labels"]) == ("measured", list(ODD))
    assert record["best"]["scaling"] == "-1..1"


def test_the_order_of_colors_is_found_in_colored_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = write_faces(tmp_path / "faces", 10, blue_only=True)
    model = write_stripe_reader(tmp_path / "model.onnx", ORDERS[7]["alphabetical"], channels=3)
    record = evaluate(capsys, "--data", faces, "--model", model)
    assert (record["best"]["channels"], record["best"]["order"]) == ("bgr", "alphabetical")
    assert record["best"]["options"][-1] == "--channels bgr"
    assert all(margin["sure"] for margin in record["margins"])
    assert [margin["part"] for margin in record["margins"]] == ["labels", "scaling", "channels"]


def test_of_gray_pictures_the_colors_stay_open(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_stripe_reader(tmp_path / "model.onnx", ORDERS[7]["alphabetical"], channels=3)
    cli.main(["evaluate", "--data", str(faces), "--model", str(model), "--try-conventions"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["accuracy", "cross-entropy", "labels", "scaling"]
    assert f"best for {model}: --labels angry,disgust,fear,happy,neutral,sad,surprise --scaling=-1..1" in lines
    assert lines[-1].startswith("channels: unknown, since all faces are gray")


def test_what_options_say_is_kept(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ORDERS[7]["RAF-DB"]
    model = write_stripe_reader(tmp_path / "model.onnx", labels)
    record = evaluate(capsys, "--data", faces, "--model", model, "--labels", ",".join(labels))
    assert [margin["part"] for margin in record["margins"]] == ["scaling"]
    assert {tuple(one["labels"]) for one in record["tried"]} == {labels}
    record = evaluate(capsys, "--data", faces, "--model", model, "--scaling", "0..255")
    assert {one["scaling"] for one in record["tried"]} == {"0..255"}
    assert record["best"] is None
    done = run(
        "evaluate", "--data", faces, "--model", model, "--try-conventions", "--scaling=-1..1", "--labels", ",".join(labels)
    )
    assert_one_line(done, 2, "nothing is left to try")


def test_a_model_of_something_else_is_told(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = np.random.default_rng(0).normal(size=(48 * 48, 7)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    model = write_onnx(tmp_path / "random.onnx", nodes, {"weights": weights * 0}, 1, "scores", 7)
    assert evaluate(capsys, "--data", faces, "--model", model)["best"] is None
    cli.main(["evaluate", "--data", str(faces), "--model", str(model), "--try-conventions"], standalone_mode=False)
    assert "random.onnx: no combination is better than chance" in capsys.readouterr().out


def test_the_sample_has_as_many_faces_of_each_label(faces: Path) -> None:
    crops = read_crops(faces)
    sample = sample_faces(crops, 50)
    assert np.bincount(sample.labels).tolist() == [7] * 7
    assert sample.keys == sample_faces(crops, 50).keys
    assert len(sample_faces(crops, 10**6).keys) == 140


def test_what_cannot_be_tried_is_refused(faces: Path, tmp_path: Path) -> None:
    model = write_stripe_reader(tmp_path / "model.onnx", ODD)
    start = ["evaluate", "--data", str(faces), "--try-conventions"]
    for arguments, message in (
        ([], "--try-conventions requires --model FILE"),
        (["--model", "ferplus"], "--try-conventions requires --model FILE"),
        (["--model", str(model), "--plot", "x.png"], "cannot be combined with"),
    ):
        with pytest.raises(UsageError, match=message):
            cli.main([*start, *arguments], standalone_mode=False)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "sad").symlink_to(faces / "sad")
    with pytest.raises(DatasetError, match="all faces have the same label"):
        cli.main(["evaluate", "--data", str(tmp_path / "one"), "--model", str(model), "--try-conventions"], standalone_mode=False)


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real test faces, up to 250 of each label."""
    folder = tmp_path_factory.mktemp("fer")
    wanted: dict[str, int] = {}
    with tarfile.open(shared_data("fer2013/fer2013.tar.gz")) as archive:
        for member in archive:
            parts = member.name.split("/")
            if member.name.endswith(".png") and parts[1] == "test" and wanted.setdefault(parts[2], 0) < 250:
                wanted[parts[2]] += 1
                archive.extract(member, folder, filter="data")
    return folder / "fer2013" / "test"


@pytest.mark.parametrize(
    ("name", "scaling"), [("RAF-DB", "-1..1"), ("alphabetical", "0..255"), ("measured", "0..1"), ("AffectNet", "0..1")]
)
def test_a_real_network_is_understood(
    fer2013: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, scaling: str
) -> None:
    labels = ODD if name == "measured" else ORDERS[7][name]
    model = write_permuted(tmp_path / "model.onnx", [LABELS.index(label) for label in labels], scaling)
    best = evaluate(capsys, "--data", fer2013, "--model", model)["best"]
    assert (best["order"], best["labels"], best["scaling"]) == (name, list(labels), scaling)
    assert best["balanced_accuracy"] > 0.5
