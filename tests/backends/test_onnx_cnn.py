from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from emodetect.backends.cnn import create_cnn
from emodetect.backends.conventions import ModelConventions, Scaling
from emodetect.backends.metadata import KEY, ModelMetadata
from emodetect.backends.onnx_cnn import OnnxBackend
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.errors import ModelError, UsageError
from emodetect.types import EMOTIONS, Emotion, Image


def save_network(
    path: Path, *, shape: list[Any], outputs: int, position: int, metadata: ModelMetadata | None = None, rank: int = 2
) -> Path:
    """An ONNX network whose output at ``position`` rises with the picture's brightness, as probabilities.

    With rank 3 the output is (n, 1, outputs), with rank 4 it stands there twice, (n, 2, outputs).
    """
    axes = [1, 2, 3]
    kernel = np.full((1, outputs), -2.0, np.float32)
    kernel[0, position] = 6.0
    final = "scores" if rank == 2 else "flat"
    nodes = [
        helper.make_node("ReduceMean", ["faces", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("MatMul", ["column", "kernel"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [final]),
    ]
    if rank != 2:
        nodes.append(helper.make_node("Unsqueeze", ["flat", "one"], ["scores" if rank == 3 else "one row"]))
    if rank == 4:
        nodes.append(helper.make_node("Concat", ["one row", "one row"], ["scores"], axis=1))
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(
                "scores", TensorProto.FLOAT, [shape[0], outputs] if rank == 2 else ["n", rank - 2, outputs]
            )
        ],
        [
            helper.make_tensor("axes", TensorProto.INT64, [3], axes),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("kernel", TensorProto.FLOAT, kernel.shape, kernel.ravel()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if metadata is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = KEY, metadata.to_json()
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def loaded(path: Path, labels: list[str] | None = None) -> OnnxBackend:
    backend = OnnxBackend(path, conventions=ModelConventions.of(labels))
    backend.load()
    return backend


def dominant(backend: OnnxBackend, crop: Image) -> Emotion:
    return EMOTIONS[int(backend.classify([crop])[0].argmax())]


def test_a_file_without_metadata_is_read_by_the_tutorials_convention(tmp_path: Path, gray_levels: list[Image]) -> None:
    path = save_network(tmp_path / "m.onnx", shape=["n", 48, 48, 1], outputs=7, position=4)

    # The fifth label in alphabetical order is neutral; in FER-2013's own order it would be sad.
    assert dominant(loaded(path), gray_levels[1]) is Emotion.NEUTRAL


def test_metadata_names_labels_and_scaling(tmp_path: Path, gray_levels: list[Image]) -> None:
    labels = ("sad", "happy", "angry", "fear", "disgust", "neutral", "surprise")
    # With the scale turned round, the dark picture is the bright one.
    metadata = ModelMetadata(labels={"scores": labels}, scaling=Scaling((-1 / 255,), (1.0,)), uncertain_below=0.7)
    backend = loaded(save_network(tmp_path / "m.onnx", shape=["n", 32, 40, 1], outputs=7, position=1, metadata=metadata))

    assert dominant(backend, gray_levels[0]) is Emotion.HAPPY
    assert dominant(backend, gray_levels[1]) is not Emotion.HAPPY or backend.classify([gray_levels[1]]).max() < 0.2
    assert backend.uncertain_below == 0.7


def test_labels_given_by_the_user_override_the_file(tmp_path: Path, gray_levels: list[Image]) -> None:
    path = save_network(tmp_path / "m.onnx", shape=["n", 48, 48, 1], outputs=8, position=6)
    ferplus = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]

    assert dominant(loaded(path, ferplus), gray_levels[1]) is Emotion.FEAR


@pytest.mark.parametrize(
    "shape",
    [["n", 48, 48, 1], ["n", 1, 48, 48], ["n", 64, 64, 3], ["n", 3, 64, 64], [1, 48, 48, 1], ["n", None, None, 1]],
    ids=["last", "first", "rgb-last", "rgb-first", "one-at-a-time", "any-size"],
)
def test_batches_of_every_layout(tmp_path: Path, shape: list[Any], gray_levels: list[Image]) -> None:
    backend = loaded(save_network(tmp_path / "m.onnx", shape=shape, outputs=7, position=3))

    scores = backend.classify([gray_levels[0], gray_levels[1], gray_levels[0]])

    assert scores.shape == (3, 7)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(scores[0], scores[2])
    happy = EMOTIONS.index(Emotion.HAPPY)
    assert scores[1, happy] > 0.9 > scores[0, happy]
    assert backend.classify([]).shape == (0, 7)


@pytest.mark.parametrize(
    ("shape", "outputs", "rank", "message"),
    [
        (["n", 48, 48, 2], 7, 2, "expected one input"),
        (["n", 48, 48, 1], 5, 2, "`labels` names them"),
        (["n", 48, 48, 1], 7, 4, r"expected the output scores to be \(n, labels\), got \(5, 2, 7\)"),
    ],
    ids=["channels", "number-of-outputs", "rank"],
)
def test_a_network_that_does_not_fit_is_refused(tmp_path: Path, shape: list[Any], outputs: int, rank: int, message: str) -> None:
    path = save_network(tmp_path / "m.onnx", shape=shape, outputs=outputs, position=0, rank=rank)

    with pytest.raises(ModelError, match=message) as caught:
        loaded(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("this is no network")

    with pytest.raises(ModelError, match=r"m\.onnx: not a model"):
        loaded(path)


class TestEmbedded:
    def test_facts_and_labels_travel_in_the_file(self) -> None:
        model = onnx.load(EMBEDDED)
        metadata = json.loads({entry.key: entry.value for entry in model.metadata_props}[KEY])

        assert metadata["labels"]["fer2013"] == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
        assert metadata["labels"]["ferplus"][-1] == "contempt"
        assert metadata["facts"]["architecture"] == "compact"
        assert 0 < metadata["uncertain_below"] < 1

    @pytest.mark.parametrize("head", [None, "fer2013", "ferplus"])
    def test_every_head_sees_the_smile(self, head: str | None, face_crops: list[Image]) -> None:
        with create_cnn(head) as backend:
            scores = backend.classify(face_crops)

        assert scores.shape == (len(face_crops), 7)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
        assert EMOTIONS[int(scores[0].argmax())] is Emotion.HAPPY

    def test_a_batch_gives_what_single_faces_give(self, face_crops: list[Image]) -> None:
        with create_cnn(None) as backend:
            together = backend.classify(face_crops)
            alone = np.concatenate([backend.classify([crop]) for crop in face_crops])

        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_it_takes_no_labels(self) -> None:
        with pytest.raises(UsageError, match="`labels`"):
            create_cnn("fer2013", ModelConventions(("a",)))


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.onnx", "no such model file"), ("model.txt", "unknown kind"), ("folder.h5", "is a folder")],
)
def test_a_model_that_is_not_there(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "model.txt").write_text("x")
    (tmp_path / "folder.h5").mkdir()

    with pytest.raises(ModelError, match=message):
        create_cnn(str(tmp_path / name))
