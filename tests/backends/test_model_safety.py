"""Model files that mean harm: each is refused in one line, and none of them leaves its mark."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from emodetect.backends import limits
from emodetect.backends.cnn import create_cnn
from emodetect.backends.keras_file import check_keras_file
from emodetect.backends.model_file import read_model_file
from emodetect.backends.onnx_file import read_onnx_file
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.errors import ModelError


def save_external(path: Path, location: str) -> Path:
    """A network of seven labels whose weights are kept at this place, relative to it."""
    kernel = TensorProto(name="kernel", data_type=TensorProto.FLOAT, dims=[1, 7], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "28")):
        entry = kernel.external_data.add()
        entry.key, entry.value = key, value
    nodes = [
        helper.make_node("ReduceMean", ["faces", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("MatMul", ["column", "kernel"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(
        nodes,
        "external",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 48, 48, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 7])],
        [kernel, axes, one],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def assert_refused(path: Path, *parts: str) -> None:
    with pytest.raises(ModelError) as caught:
        create_cnn(str(path)).load()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


class TestOnnx:
    WEIGHTS = np.arange(7, dtype=np.float32).tobytes()

    @pytest.mark.parametrize("location", ["w.bin", "parts/w.bin", "./w.bin"])
    def test_weights_beside_the_model_are_read(self, tmp_path: Path, location: str) -> None:
        place = tmp_path / location
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(self.WEIGHTS)

        with create_cnn(str(save_external(tmp_path / "m.onnx", location))) as backend:
            scores = backend.classify([np.full((48, 48, 3), 255, np.uint8)])

        assert scores.argmax() == 5  # the last in alphabetical order is surprise

    @pytest.mark.parametrize("location", ["../secret.bin", "parts/../../secret.bin", "{absolute}", "..\\secret.bin"])
    def test_weights_outside_its_folder_are_refused(self, tmp_path: Path, location: str) -> None:
        (tmp_path / "secret.bin").write_bytes(self.WEIGHTS)
        folder = tmp_path / "model"
        (folder / "parts").mkdir(parents=True)
        named = location.format(absolute=tmp_path / "secret.bin")

        assert_refused(save_external(folder / "m.onnx", named), "outside its own folder")

    @pytest.mark.parametrize("linked", ["file", "folder"])
    def test_weights_behind_a_link_are_refused(self, tmp_path: Path, linked: str) -> None:
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "w.bin").write_bytes(self.WEIGHTS)
        folder = tmp_path / "model"
        folder.mkdir()
        if linked == "file":
            (folder / "w.bin").symlink_to(tmp_path / "secret" / "w.bin")
        else:
            (folder / "parts").symlink_to(tmp_path / "secret")

        location = "w.bin" if linked == "file" else "parts/w.bin"
        assert_refused(save_external(folder / "m.onnx", location), "symbolic link")

    def test_weights_that_are_another_file_too_are_refused(self, tmp_path: Path) -> None:
        """An archive can bring a hard link along, as it can a symbolic one."""
        (tmp_path / "secret.bin").write_bytes(self.WEIGHTS)
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "w.bin").hardlink_to(tmp_path / "secret.bin")

        assert_refused(save_external(tmp_path / "model" / "m.onnx", "w.bin"), "another name")

    def test_weights_that_are_missing_are_named(self, tmp_path: Path) -> None:
        assert_refused(save_external(tmp_path / "m.onnx", "w.bin"), "weights are missing", "w.bin")

    def test_a_tensor_deep_inside_is_found(self, tmp_path: Path) -> None:
        """In a constant inside a branch of a condition, where no list of initializers shows it."""
        secret = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
        entry = secret.external_data.add()
        entry.key, entry.value = "location", "../secret.bin"
        inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=secret)], "inner", [], [])
        outer = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)], "outer", [], [])
        path = tmp_path / "m.onnx"
        path.write_bytes(helper.make_model(outer).SerializeToString())

        with pytest.raises(ModelError, match="outside its own folder"):
            read_onnx_file(path)

    @pytest.mark.parametrize("depth", [4, 5, 20])
    def test_graphs_that_stand_too_deep_in_each_other_are_refused(self, tmp_path: Path, depth: int) -> None:
        """ONNX Runtime 1.26 takes a minute for twenty levels, and twice as long for each further one."""
        graph = helper.make_graph([], "innermost", [], [])
        for level in range(depth):
            branch = helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph if level < 3 else None)
            graph = helper.make_graph([branch], f"level{level}", [], [])
        path = tmp_path / "m.onnx"
        path.write_bytes(helper.make_model(graph).SerializeToString())

        if depth == 4:
            assert read_onnx_file(path) is not None
        else:
            with pytest.raises(ModelError, match="too deep in each other"):
                read_onnx_file(path)

    def test_what_is_loaded_is_whole_in_itself(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(self.WEIGHTS)
        model = onnx.load_from_string(read_onnx_file(save_external(tmp_path / "m.onnx", "w.bin")))

        onnx.checker.check_model(model)
        [kernel] = [tensor for tensor in model.graph.initializer if tensor.name == "kernel"]
        assert kernel.raw_data == self.WEIGHTS
        assert kernel.data_location == TensorProto.DEFAULT
        assert not kernel.external_data

    def test_what_needs_no_change_is_not_changed(self) -> None:
        assert onnx.load_from_string(read_onnx_file(EMBEDDED)) == onnx.load(EMBEDDED)

    def test_weights_that_are_shared_count_each_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emodetect.backends.onnx_file.MAX_MODEL_BYTES", 10_000)
        (tmp_path / "w.bin").write_bytes(bytes(2000))
        model = onnx.load(save_external(tmp_path / "m.onnx", "w.bin"), load_external_data=False)
        kernel = model.graph.initializer[0]
        kernel.dims[:] = [500]
        kernel.external_data[2].value = "2000"
        for _ in range(10):
            model.graph.initializer.add().CopyFrom(kernel)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        assert_refused(tmp_path / "m.onnx", "larger than")

    @pytest.mark.parametrize(("offset", "length"), [("0", "27"), ("1", "28"), ("-1", "28"), ("0", "9" * 30), ("x", "28")])
    def test_a_place_that_is_none_is_refused(self, tmp_path: Path, offset: str, length: str) -> None:
        (tmp_path / "w.bin").write_bytes(self.WEIGHTS)
        model = onnx.load(save_external(tmp_path / "m.onnx", "w.bin"), load_external_data=False)
        entries = model.graph.initializer[0].external_data
        entries[1].value, entries[2].value = offset, length
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        assert_refused(tmp_path / "m.onnx")

    @pytest.mark.parametrize(
        "trick", ["long key", "key beyond 32 bits", "number beyond 29 bits", "group", "unknown", "twice", "wire"]
    )
    def test_what_readers_understand_differently_is_refused(self, tmp_path: Path, trick: str) -> None:
        """Protobuf keeps 32 bits of a key; of a part that is there twice some take the last, and some both."""
        (tmp_path / "w.bin").write_bytes(self.WEIGHTS)
        content = save_external(tmp_path / "m.onnx", "w.bin").read_bytes()
        read_onnx_file(tmp_path / "m.onnx")  # as it is it passes
        name = b"\x0a\x01x"  # of a field 1 of a length
        added = {
            "long key": b"\x92\x00\x01x",
            "key beyond 32 bits": b"\x92\x80\x80\x80\x20\x01x",
            "number beyond 29 bits": b"\x82\x80\x80\x80\x80\x01\x00",
            "group": b"\x13" + name + b"\x14",
            "unknown": b"\xda\x01\x01x",
            "twice": b"\x3a\x00",
            "wire": b"\x3d" + bytes(4),
        }[trick]
        (tmp_path / "m.onnx").write_bytes(content + added)
        assert_refused(tmp_path / "m.onnx", "not a model file in ONNX that can be used here")

    @pytest.mark.parametrize("trick", ["doubled", "itself", "deep", "with graphs", "in graphs"])
    def test_functions_that_stand_for_too_much_are_refused(self, tmp_path: Path, trick: str) -> None:
        sets = [helper.make_opsetid("", 17), helper.make_opsetid("l", 1)]

        def function(name: str, nodes: list[Any]) -> Any:
            return helper.make_function("l", name, ["a"], ["b"], nodes, sets)

        def call(name: str, a: str, b: str) -> Any:
            return helper.make_node(name, [a], [b], domain="l")

        def branch(node: Any) -> Any:
            value = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
            graph = helper.make_graph([node], "inside", [], [value])
            return helper.make_node("If", ["a"], ["b"], then_branch=graph, else_branch=graph)

        functions = [function("f0", [helper.make_node("Add", ["a", "a"], ["b"])])]
        for k in range(1, 70 if trick == "deep" else 20 if trick in ("doubled", "in graphs") else 7):
            before = f"f{k - 1}"
            functions.append(
                function(
                    f"f{k}",
                    {
                        "doubled": [call(before, "a", "c"), call(before, "c", "b")],
                        "itself": [call(f"f{k % 6 + 1}", "a", "b")],
                        "deep": [call(before, "a", "b")],
                        "with graphs": [branch(call(before, "a", "b"))],
                        "in graphs": [branch(call(before, "a", "b")), call(before, "a", "b")],
                    }[trick],
                )
            )
        graph = helper.make_graph([call(functions[-1].name, "x", "y")], "g", [], [])
        path = tmp_path / "m.onnx"
        path.write_bytes(helper.make_model(graph, opset_imports=sets, functions=functions).SerializeToString())
        assert path.stat().st_size < 50_000

        assert_refused(path, "not a model file in ONNX that can be used here")

    def test_another_format_does_not_pass_for_onnx(self, tmp_path: Path) -> None:
        path = tmp_path / "m.onnx"
        path.write_bytes(b"\x18\x00\x00\x00ORTM" + bytes(64))
        assert_refused(path)

    def test_an_input_that_would_fill_the_memory_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(self.WEIGHTS)
        model = onnx.load(save_external(tmp_path / "m.onnx", "w.bin"), load_external_data=False)
        for dimension in model.graph.input[0].type.tensor_type.shape.dim[1:3]:
            dimension.dim_value = 200_000
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())

        assert_refused(tmp_path / "m.onnx", "at most 1024")


class Payload:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".onnx"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_is_not_unpickled(tmp_path: Path, suffix: str, protocol: int) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / f"m{suffix}"
    path.write_bytes(pickle.dumps(Payload(mark), protocol))

    assert_refused(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()  # the payload itself works


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_an_archive_with_a_pickle_is_not_unpickled(tmp_path: Path, suffix: str) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / f"m{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload(mark)))

    assert_refused(path, "pickle")
    assert not mark.exists()


def save_keras(path: Path, configuration: Any) -> Path:
    """A file of Keras's layout with this configuration."""
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(configuration)
            file.create_group("model_weights")
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(configuration))
        archive.writestr("metadata.json", "{}")
    return path


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def layer(class_name: str, module: str | None = "keras.layers", registered: str | None = None, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}


HARMFUL = {
    "lambda": (layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wAAAA=="}}), "Lambda"),
    "lambda-inside": (layer("TimeDistributed", layer=layer("Lambda", None)), "Lambda"),
    "lambda-function": (layer("Activation", activation={"class_name": "__lambda__", "config": {}}), "Lambda"),
    "system": (layer("system", "os"), "os.system"),
    "foreign": (layer("Mine", "mine.layers", "mine>Mine"), "mine.layers.Mine"),
    "registered": (layer("Mine", None, "mine>Mine"), "Mine"),
    "disguised": (layer("Dense", "emodetect.backends.keras_layers.os", "emodetect>Dense"), "Dense"),
    "fetching": (layer("Activation", activation=layer("function", "keras.utils")), "keras.utils"),
    "function": (layer("Activation", activation=layer("function", "os")), "os.function"),
    "torch": (layer("TorchModuleWrapper"), "TorchModuleWrapper"),
    "files": (layer("StringLookup", vocabulary="/etc/passwd"), "StringLookup"),
    "operator": (layer("TFOpLambda", "keras.src.layers.core.tf_op_layer", function="io.write_file"), "io.write_file"),
    "operator-of-files": (layer("TFOpLambda", None, function="io.read_file"), "io.read_file"),
    "operator-of-python": (layer("TFOpLambda", None, function="py_function"), "py_function"),
    "operator-unnamed": (layer("TFOpLambda", None), "None"),
    "slice": (layer("SlicingOpLambda", None, function="raw_ops.WriteFile"), "raw_ops.WriteFile"),
    "old-operator": (layer("TensorFlowOpLayer", None, node_def="op: 'WriteFile'"), "TensorFlowOpLayer"),
    "method": (layer("InstanceMethod", None, attr_name="numpy"), "InstanceMethod"),
    "class-method": (layer("ClassMethod", None, cls_symbol="io", method_name="gfile"), "ClassMethod"),
    "another-program": (layer("TFSMLayer", filepath="/tmp/model"), "TFSMLayer"),
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("kind", HARMFUL)
def test_a_configuration_that_names_code_is_refused(tmp_path: Path, suffix: str, kind: str) -> None:
    harmful, message = HARMFUL[kind]
    assert_refused(save_keras(tmp_path / f"m{suffix}", sequential(layer("Flatten"), harmful)), message, "safety")


def test_what_networks_are_built_of_passes(tmp_path: Path) -> None:
    glorot = layer("GlorotUniform", "keras.initializers", seed=None)
    dense = layer("Dense", units=7, dtype=layer("DTypePolicy", "keras", name="float32"), kernel_initializer=glorot)
    ours = layer("AffineSampler", "emodetect.backends.keras_layers", "emodetect>AffineSampler")
    relu = layer("Activation", activation=layer("function", "builtins", "function"))
    old = {"class_name": "Conv2D", "config": {"filters": 8}}
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 48, 48, 1]}}
    add = layer("Add", "keras.src.ops.numpy")

    policy = layer("Policy", "keras.mixed_precision", name="mixed_float16")
    divide = layer("TFOpLambda", "keras.src.layers.core.tf_op_layer", "TFOpLambda", function="math.truediv", dtype=policy)
    taken = layer("SlicingOpLambda", None, function="__operators__.getitem")

    for suffix in (".h5", ".keras"):
        parts = dense, ours, relu, old, tensor, add, divide, taken
        check_keras_file(save_keras(tmp_path / f"m{suffix}", sequential(*parts)))


class TestSize:
    @pytest.fixture(autouse=True)
    def small_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_MODEL_BYTES", 100_000)
        monkeypatch.setattr("emodetect.backends.keras_file.MAX_MODEL_BYTES", 100_000)

    @pytest.mark.parametrize("suffix", [".onnx", ".h5", ".keras"])
    def test_a_large_file(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"m{suffix}"
        path.write_bytes(bytes(100_001))
        assert_refused(path, "larger than")

    def test_weights_beside_it_count(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(bytes(100_001))
        save_external(tmp_path / "m.onnx", "w.bin")
        with pytest.raises(ModelError, match="larger than"):
            read_onnx_file(tmp_path / "m.onnx")

    def test_an_archive_that_unpacks_to_much(self, tmp_path: Path) -> None:
        path = tmp_path / "m.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", json.dumps(sequential()) + " " * 1_000_000)
        assert path.stat().st_size < 10_000
        assert_refused(path, "larger than")

    def test_an_array_that_claims_to_be_large(self, tmp_path: Path) -> None:
        path = save_keras(tmp_path / "m.h5", sequential())
        with h5py.File(path, "r+") as file:
            file.create_dataset("huge", (10**6, 10**6), np.float32, chunks=(1000, 1000))
        assert_refused(path, "larger than")


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_file_of_two_formats_is_read_as_one(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 with an archive behind it: what is looked at is what Keras reads, whatever the file is called."""
    path = save_keras(tmp_path / "m.h5", sequential(layer("Lambda")))
    harmless = save_keras(tmp_path / "harmless.keras", sequential())
    path = path.rename(tmp_path / f"both{suffix}")
    path.write_bytes(path.read_bytes() + harmless.read_bytes())
    assert zipfile.is_zipfile(path)

    if suffix == ".h5":
        assert_refused(path, "Lambda")
    else:
        assert_refused(path, "not a Keras model file")
    assert read_model_file(path)[1] == ".h5"


def test_weights_that_are_named_often_are_refused(tmp_path: Path) -> None:
    """Keras reads an array each time that it is named, so that a small file could fill the memory."""
    path = save_keras(tmp_path / "m.h5", sequential())
    with h5py.File(path, "r+") as file:
        group = file["model_weights"].create_group("dense")
        group["kernel"] = np.zeros(7, np.float32)
        group.attrs["weight_names"] = [b"kernel"] * 100
    assert_refused(path, "more than once")


def test_an_array_counts_under_each_of_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.backends.keras_file.MAX_MODEL_BYTES", 100_000)
    path = save_keras(tmp_path / "m.h5", sequential())
    with h5py.File(path, "r+") as file:
        file["model_weights/a"] = np.zeros(5000, np.float32)
        for number in range(10):
            file[f"model_weights/b{number}"] = file["model_weights/a"]
    assert path.stat().st_size < 100_000
    assert_refused(path, "larger than")


@pytest.mark.parametrize("kind", ["external", "virtual", "soft", "endless"])
def test_weights_of_an_hdf5_file_are_in_it(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["weights"] = np.zeros(7, np.float32)
    path = save_keras(tmp_path / "m.h5", sequential())
    with h5py.File(path, "r+") as file:
        if kind == "external":
            file.create_dataset("w", (7,), np.float32, external=[(str(secret), 0, 28)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((7,), np.float32)
            layout[:] = h5py.VirtualSource(str(secret), "weights", (7,))
            file.create_virtual_dataset("w", layout)
        elif kind == "soft":
            file["w"] = h5py.ExternalLink(str(secret), "weights")
        else:
            file["model_weights/again"] = file["model_weights"]

    assert_refused(path, "too many parts" if kind == "endless" else "safety")
