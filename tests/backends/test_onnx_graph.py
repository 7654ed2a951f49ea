from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.metadata import class_names
from emodetect.backends.onnx_cnn import OnnxBackend
from emodetect.backends.onnx_graph import OnnxGraph
from emodetect.errors import ModelError
from emodetect.types import Emotion
from tests.builders import make_image
from tests.onnx_files import constant, node, save_means

GRAY = make_image(48, 48, (128, 128, 128))


def arithmetic(path: Path, *steps: tuple[str, float]) -> Path:
    names = ["x", *(f"step {place}" for place in range(len(steps) - 1)), "scaled"]
    nodes = [node(kind, names[i], f"c{i}", output=names[i + 1]) for i, (kind, _) in enumerate(steps)]
    return save_means(path, nodes, constants=[constant(f"c{i}", value) for i, (_, value) in enumerate(steps)])


def loaded(path: Path) -> OnnxBackend:
    backend = OnnxBackend(path)
    backend.load()
    return backend


@pytest.mark.parametrize(
    ("steps", "scaling"),
    [
        pytest.param([("Sub", 0.1307), ("Div", 0.3081)], "0..1", id="MNIST"),
        pytest.param([("Sub", 0.5077), ("Div", 0.2551)], "0..1", id="FER-2013"),
        pytest.param([("Sub", 33.3), ("Div", 78.6)], "0..255", id="MNIST of bytes"),
        pytest.param([("Sub", 0.2), ("Div", 0.3)], "0..1", id="dark pictures"),
        pytest.param([("Sub", -0.02), ("Div", 0.5)], "-1..1", id="pictures from -1 to 1"),
        pytest.param([("Sub", 0.1), ("Div", 1.05)], None, id="pictures that are normalized before"),
        pytest.param([("Add", 0.5)], "0.00392157,-0.5", id="half more"),
        pytest.param([("Mul", 0.5)], None, id="half"),
        pytest.param([("Div", 127.5)], "0..255", id="bytes to 2"),
    ],
)
def test_constants_at_the_input_tell_what_it_wants(tmp_path: Path, steps: list[tuple[str, float]], scaling: str | None) -> None:
    own = OnnxGraph(arithmetic(tmp_path / "m.onnx", *steps)).own_scaling("x")
    assert own is not None
    assert (None if own.expected is None else str(own.expected)) == scaling


@pytest.mark.parametrize(
    "bending",
    [
        [node("Add", "x", "one", output="a"), node("Div", "bytes", "a", output="scaled")],
        [node("Div", "x", "bytes", output="a"), node("Pow", "a", "half", output="scaled")],
        [node("Sqrt", "x", output="scaled")],
        [node("Add", "x", "one", output="a"), node("Log", "a", output="scaled")],
    ],
    ids=lambda nodes: nodes[-1].op_type,
)
def test_no_range_is_read_from_other_arithmetic(tmp_path: Path, bending: list[onnx.NodeProto]) -> None:
    constants = [constant(name, value) for name, value in (("one", 1), ("bytes", 255), ("half", 0.5))]
    own = OnnxGraph(save_means(tmp_path / "m.onnx", bending, constants=constants)).own_scaling("x")
    assert own is not None
    assert own.expected is None
    assert bending[-1].op_type in own.layers


@pytest.mark.parametrize(
    "before",
    [
        [node("Max", "low", "x", output="a")],
        [node("Min", "x", "high", output="a")],
        [node("Round", "x", output="a")],
        [node("Relu", "x", output="a")],
        [node("Conv", "x", "gray", output="a")],
        [node("Mul", "x", "weights", output="m"), node("ReduceSum", "m", "channel", output="a", keepdims=1)],
    ],
    ids=lambda nodes: nodes[0].op_type,
)
def test_scaling_is_found_behind_what_keeps_the_range(tmp_path: Path, before: list[onnx.NodeProto]) -> None:
    gray = np.asarray([0.299, 0.587, 0.114])
    constants = [
        *(constant(name, value) for name, value in (("low", 0), ("high", 255), ("by", 255))),
        constant("gray", gray.reshape(1, 3, 1, 1)),
        constant("weights", gray.reshape(1, 3, 1, 1)),
        constant("channel", [1], np.int64),
    ]
    path = save_means(
        tmp_path / "m.onnx", [*before, node("Div", "a", "by", output="scaled")], constants=constants, shape=("n", 3, 48, 48)
    )
    own = OnnxGraph(path).own_scaling("x")
    assert own is not None
    assert str(own.expected) == "0..255"
    assert own.layers == "Div (Div scaled)"


@pytest.mark.parametrize(
    ("scale", "zero", "kind", "scaling"),
    [
        (1 / 255, 0, np.uint8, "0..1"),
        (1.0, 0, np.uint8, "0..255"),
        (2 / 255, 0, np.int8, "-1..1"),
        (1 / 255, -128, np.int8, "0..1"),
    ],
)
def test_a_quantized_input_tells_its_range(tmp_path: Path, scale: float, zero: int, kind: Any, scaling: str) -> None:
    nodes = [node("QuantizeLinear", "x", "s", "z", output="q"), node("DequantizeLinear", "q", "s", "z", output="scaled")]
    model = save_means(tmp_path / "m.onnx", nodes, constants=[constant("s", scale), constant("z", zero, kind)])
    own = OnnxGraph(model).own_scaling("x")
    assert own is not None
    assert str(own.expected) == scaling


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([("QuantizeLinear", ["s", "z"])], id="bytes"),
        pytest.param([("QuantizeLinear", ["s", "low"])], id="signed bytes"),
        pytest.param([("Mul", ["thousand"])], id="times 1000"),
    ],
)
def test_shares_are_shares_whatever_is_made_of_them(tmp_path: Path, after: list[tuple[str, list[str]]]) -> None:
    (kind, extra), number = after[0], TensorProto.FLOAT
    if kind == "QuantizeLinear":
        number = TensorProto.INT8 if "low" in extra else TensorProto.UINT8
    nodes = [node("Mul", "logits", "tenth", output="small"), node("Softmax", "small", output="shares")]
    last = [node(kind, "shares", *extra, output="y")]
    constants = [constant("tenth", 0.1), constant("s", 1 / 256), constant("z", 0, np.uint8), constant("low", -128, np.int8)]
    constants.append(constant("thousand", 1000))
    plain = save_means(tmp_path / "plain.onnx", after=[*nodes, node("Identity", "shares", output="y")], constants=constants)
    changed = save_means(tmp_path / "m.onnx", after=[*nodes, *last], constants=constants, outputs=[("y", ("n", 7), number)])
    expected, found = (loaded(model).classify([GRAY]) for model in (plain, changed))
    assert 0.2 < expected.max() < 0.9
    assert np.allclose(found, expected, atol=0.01)


def test_logits_behind_a_relu_are_logits(tmp_path: Path) -> None:
    nodes = [node("Mul", "logits", "hundredth", output="small"), node("Relu", "small", output="y")]
    backend = loaded(save_means(tmp_path / "m.onnx", after=nodes, constants=[constant("hundredth", 0.01)]))
    assert backend.description is not None
    assert backend.description.scores == "logits"


def test_channels_of_an_open_shape_are_those_of_the_first_convolution(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x", "K", output="map", kernel_shape=[1, 1]),
        node("GlobalAveragePool", "map", output="mean"),
        node("Flatten", "mean", output="y"),
    ]
    kernel = np.zeros((7, 3, 1, 1), np.float32)
    kernel[3] = 5
    shapes = (
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 7])],
    )
    graph = helper.make_graph(nodes, "open", *shapes, [constant("K", kernel)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    entry = model.metadata_props.add()
    entry.key, entry.value = "names", str({0: "Sad", 1: "Surprise", 2: "Neutral", 3: "joy", 4: "fear", 5: "Disgust", 6: "Anger"})
    onnx.save(model, tmp_path / "m.onnx")
    backend = loaded(tmp_path / "m.onnx")
    assert backend.description is not None
    assert backend.description.size.value == (48, 48)
    assert "size 48x48" in backend.description.note
    assert backend.description.labels.value == (("Sad", "Surprise", "Neutral", "joy", "fear", "Disgust", "Anger"),)
    assert backend.description.labels.origin == "model"
    assert backend.classify([GRAY]).argmax() == list(Emotion).index(Emotion.HAPPY)


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ({"names": "{1: 'happy', 0: 'sad'}"}, ("sad", "happy")),
        ({"id2label": '{"0": "sad", "1": "happy"}'}, ("sad", "happy")),
        ({"config": '{"id2label": {"0": "sad", "1": "happy"}}'}, ("sad", "happy")),
        ({"label2id": '{"happy": 1, "sad": 0}'}, ("sad", "happy")),
        ({"classes": '["sad", "happy"]'}, ("sad", "happy")),
        ({"labels": "sad, happy"}, ("sad", "happy")),
        ({"names": "{0: 'person', 1: 'car'}"}, ("person", "car")),
        ({"names": "{0: 'person', 1: 'car'}", "labels": "sad, happy"}, ("sad", "happy")),
        ({"id2label": '{"0": "LABEL_0", "1": "LABEL_1"}', "labels": "0,1"}, ()),
        ({"names": "{0: 'sad', 2: 'happy'}"}, ()),
        ({"names": "[" * 9000}, ()),
        ({"names": "__import__('os').abort()"}, ()),
        ({"config": "[1]", "names": "{}"}, ()),
    ],
)
def test_class_names_of_other_programs(entries: dict[str, str], names: tuple[str, ...]) -> None:
    assert class_names(entries) == names


def test_class_names_that_are_no_emotions_are_not_passed_over(tmp_path: Path) -> None:
    path = save_means(tmp_path / "m.onnx")
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = "labels", "wut,ekel,angst,freude,neutral,trauer,\x1b[31m"
    onnx.save(model, path)
    said = "calls its 7 values wut, ekel, angst, freude, neutral, trauer, .*, of which wut is not known; `labels` names them"
    with pytest.raises(ModelError, match=said):
        loaded(path)
    labels = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    backend = OnnxBackend(path, conventions=ModelConventions.of(labels))
    backend.load()
    assert backend.classify([GRAY]).shape == (1, 7)


def test_onnx_runtimes_reason_is_not_cut_off(tmp_path: Path) -> None:
    path = save_means(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.ir_version = 99
    onnx.save(model, path)
    with pytest.raises(ModelError, match="Unsupported model IR version: 99"):
        loaded(path)
