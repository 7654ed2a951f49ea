"""Model files as people have them: what is found in them, what is assumed, and how their numbers are read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import emodetect
from emodetect.backends.cnn import create_cnn
from emodetect.backends.conventions import UNSTATED, ModelConventions
from emodetect.backends.file_backend import ModelFileBackend
from emodetect.backends.metadata import ModelMetadata
from emodetect.errors import ModelError
from emodetect.faces.boxes import crop
from emodetect.sources.images import read_image
from emodetect.types import EMOTIONS, Emotion, Image
from tests.builders import PHOTO, PHOTO_FACE, ROOT
from tests.onnx_files import constant, node, save_means

MODELS = ROOT / "tests" / "data" / "models"

ALPHABETICAL = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

GRAY = np.full((60, 50, 3), 100, np.uint8)
"""A crop that the networks of `save_means` take for happy, if it comes to them scaled as it should."""


def loaded(path: Path, conventions: ModelConventions = UNSTATED) -> ModelFileBackend:
    backend = create_cnn(str(path), conventions)
    assert isinstance(backend, ModelFileBackend)
    backend.load()
    return backend


def answer(backend: ModelFileBackend, crop: Image = GRAY) -> tuple[Emotion, float]:
    [scores] = backend.classify([crop])
    return EMOTIONS[int(scores.argmax())], float(scores.max())


class TestHandedFiles:
    @pytest.mark.parametrize("name", ["tutorial.keras", "tfops.h5", "raw255.onnx", "batch4.onnx", "out-4d.onnx"])
    def test_a_smile_is_happy(self, name: str) -> None:
        [reading] = emodetect.analyze(PHOTO, model=MODELS / name).readings

        assert reading.scores is not None
        assert (reading.scores.dominant, round(reading.scores.confidence, 2)) == ("happy", 1.0)

    @pytest.mark.parametrize(
        "name",
        [
            "depthwise.h5",
            "tutorial.h5",
            "spatialdropout.h5",
            "mixed.h5",
            "rescaling.h5",
            "rescaling.keras",
            "rescaling-symmetric.h5",
            "age-and-emotion.keras",
        ],
    )
    def test_a_smile_is_happy_in_this_process(self, name: str) -> None:
        """Where Keras is loaded already: it takes most of the time."""
        emotion, confidence = answer(loaded(MODELS / name), crop(read_image(PHOTO), PHOTO_FACE))

        assert (emotion, round(confidence, 2)) == ("happy", 1.0)

    def test_independent_scores_are_divided_by_their_sum(self) -> None:
        [reading] = emodetect.analyze(PHOTO, model=MODELS / "sigmoid.keras").readings

        assert reading.scores is not None
        assert (reading.scores.dominant, reading.uncertain) == ("happy", False)
        assert reading.scores.confidence == pytest.approx(0.78, abs=0.01)

    @pytest.mark.parametrize(
        ("name", "scaling"),
        [("wants-minus-one-to-one.h5", "-1..1"), ("wants-minus-one-to-one.keras", "-1..1"), ("imagenet.onnx", "imagenet")],
    )
    def test_scaling_is_found_where_the_first_layers_show_it_and_may_be_set(self, name: str, scaling: str) -> None:
        [reading] = emodetect.analyze(MODELS / "dark.jpg").readings
        face = crop(read_image(MODELS / "dark.jpg"), reading.box)
        found = answer(loaded(MODELS / name), face)
        told = answer(loaded(MODELS / name, ModelConventions.of(scaling=scaling)), face)
        wrong = answer(loaded(MODELS / name, ModelConventions.of(scaling="0..1")), face)

        assert (found[0], told[0], wrong[0]) == ("sad", "sad", "happy")


def arithmetic(*steps: tuple[str, Any]) -> dict[str, Any]:
    """Nodes and constants that change "x" by constants, one after the other; "-" before an operator turns its inputs round."""
    nodes, constants, name = [], [], "x"
    for place, (operator, value) in enumerate(steps):
        output = "scaled" if place == len(steps) - 1 else f"step {place}"
        inputs = [name] if value is None else [name, f"c{place}"]
        if value is not None:
            constants.append(constant(f"c{place}", value))
        extra = {"to": TensorProto.FLOAT} if operator == "Cast" else {}
        nodes.append(node(operator.removeprefix("-"), *(inputs[::-1] if operator[0] == "-" else inputs), output=output, **extra))
        name = output
    return {"before": nodes, "constants": constants}


IMAGENET_UNDONE = arithmetic(
    ("Mul", np.asarray([0.229, 0.224, 0.225]).reshape(3, 1, 1)), ("Add", np.asarray([0.485, 0.456, 0.406]).reshape(3, 1, 1))
)


class TestOwnScaling:
    @pytest.mark.parametrize(
        ("steps", "scaling"),
        [
            ([("Div", 255)], "0..255"),
            ([("Mul", 1 / 255)], "0..255"),
            ([("Cast", None), ("Div", [[[[255.0]]]])], "0..255"),
            ([("Identity", None), ("Sub", 0), ("Mul", 0.00392)], "0..255"),
            ([("Div", 127.5), ("Sub", 1), ("Mul", 0.5), ("Add", 0.5)], "0..255"),
            ([("Mul", 2), ("Sub", 1), ("Add", 1), ("Mul", 0.5)], "0..1"),
            ([("Mul", 0.5), ("Add", 0.5)], "-1..1"),
            ([("Add", 1), ("Div", 2)], "-1..1"),
            ([("Mul", 255), ("Div", 255)], "0..1"),
            ([("Sub", np.full((1, 48, 48), 128.0)), ("Mul", 1 / 255), ("Add", 128 / 255)], "0..255"),
            ([("-Sub", 255), ("Mul", -1 / 255), ("Add", 1)], "0..255"),
        ],
        ids=lambda value: str(value) if isinstance(value, str) else "-".join(str(step[0]) for step in value),
    )
    def test_arithmetic_after_the_input_tells_what_it_wants(
        self, tmp_path: Path, steps: list[tuple[str, Any]], scaling: str
    ) -> None:
        backend = loaded(save_means(tmp_path / "m.onnx", **arithmetic(*steps)))

        assert backend.description is not None
        assert str(backend.description.scaling.value) == scaling
        assert backend.description.scaling.origin == "model" or scaling == "0..1"
        assert answer(backend)[0] is Emotion.HAPPY

    def test_mean_and_deviation_of_bytes(self, tmp_path: Path) -> None:
        steps = arithmetic(("Sub", 129), ("Div", 65), ("Mul", 65 / 255), ("Add", 129 / 255))
        backend = loaded(save_means(tmp_path / "m.onnx", **steps))

        assert answer(backend)[0] is Emotion.HAPPY

    @pytest.mark.parametrize(
        ("mean", "deviation"),
        [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5,), (1.0,)), ((0.5077,), (0.255,)), ((0.35,), (0.2,))],
        ids=["imagenet", "half", "fer2013", "dark"],
    )
    @pytest.mark.parametrize(("largest", "scaling"), [(1, "0..1"), (255, "0..255")])
    def test_a_mean_that_is_taken_off_first_tells_the_range(
        self, tmp_path: Path, mean: Sequence[float], deviation: Sequence[float], largest: float, scaling: str
    ) -> None:
        center, width = (largest * np.reshape(values, (-1, 1, 1)) for values in (mean, deviation))
        path = save_means(tmp_path / "m.onnx", **arithmetic(("Sub", center), ("Div", width)), shape=("n", len(mean), 64, 64))
        description = loaded(path).description

        assert description is not None
        assert (str(description.scaling.value), description.scaling.origin) == (scaling, "model")

    def test_constants_may_come_from_nodes_and_be_computed(self, tmp_path: Path) -> None:
        before = [
            helper.make_node("Constant", [], ["byte"], value_float=255.0),
            helper.make_node("Constant", [], ["flat"], value=constant("", [1.0])),
            node("Unsqueeze", "flat", "one", output="unit"),
            node("Div", "unit", "byte", output="factor"),
            node("Cast", "x", output="numbers", to=TensorProto.FLOAT),
            node("Mul", "numbers", "factor", output="scaled"),
        ]
        backend = loaded(save_means(tmp_path / "m.onnx", before))

        assert backend.description is not None
        assert str(backend.description.scaling.value) == "0..255"
        assert answer(backend)[0] is Emotion.HAPPY

    def test_channels_have_scalings_of_their_own(self, tmp_path: Path) -> None:
        backend = loaded(save_means(tmp_path / "m.onnx", **IMAGENET_UNDONE, shape=("n", 3, 64, 64)))

        assert backend.description is not None
        assert str(backend.description.scaling.value) == "imagenet"
        assert answer(backend)[0] is Emotion.HAPPY

    def test_numbers_that_fit_nothing_are_said(self, tmp_path: Path) -> None:
        description = loaded(save_means(tmp_path / "m.onnx", **arithmetic(("Mul", 1e-5)))).description

        assert description is not None
        assert (description.scaling.origin, str(description.scaling.value)) == ("assumed", "0..1")
        assert "scaling 0..1 (its own Mul (Mul scaled) fits no usual range)" in description.note

    def test_the_user_and_the_metadata_know_better(self, tmp_path: Path) -> None:
        path = save_means(tmp_path / "m.onnx", **arithmetic(("Div", 255)), metadata='{"labels": {}, "scale": 2.0}')
        by_file = loaded(path).description
        by_user = loaded(path, ModelConventions.of(scaling="0..1")).description

        assert by_file is not None
        assert by_user is not None
        assert (str(by_file.scaling.value), by_file.scaling.origin) == ("2,0", "metadata")
        assert (str(by_user.scaling.value), by_user.scaling.origin) == ("0..1", "option")


class TestShapesAndTypes:
    @pytest.mark.parametrize(
        ("shape", "axes"),
        [
            (("n", 48, 48, 1), (1, 2, 3)), (("n", 48, 48, 3), (1, 2, 3)), (("n", 3, 64, 48), (1, 2, 3)), (("n", 48, 48), (1, 2)),
            ((1, 48, 48), (1, 2)), (("n", 2304), (1,)), ((4, 1, 48, 48), (1, 2, 3)), ((7, 48, 48, 1), (1, 2, 3)),
            (("n", 1, "height", "width"), (1, 2, 3)), (("n", "h", "w", 3), (1, 2, 3)),
        ],
        ids=str,
    )  # fmt: skip
    def test_layouts_that_can_be_nothing_else(self, tmp_path: Path, shape: Sequence[Any], axes: Sequence[int]) -> None:
        backend = loaded(save_means(tmp_path / "m.onnx", shape=shape, axes=axes))
        many = [GRAY, np.zeros_like(GRAY), GRAY, np.full_like(GRAY, 255), GRAY, GRAY]

        found = [EMOTIONS[place] for place in backend.classify(many).argmax(axis=1)]

        assert found == ["happy", "sad", "happy", "angry", "happy", "happy"]
        assert backend.classify(many[:1]).shape == (1, 7)

    def test_a_picture_without_an_axis_for_the_batch(self, tmp_path: Path) -> None:
        before = [node("Unsqueeze", "x", "zero", output="scaled")]
        path = save_means(tmp_path / "m.onnx", before, constants=[constant("zero", [0], np.int64)], shape=(48, 40, 3))

        assert loaded(path).classify([GRAY, np.zeros_like(GRAY)]).argmax(axis=1).tolist() == [3, 4]

    def test_the_open_size_is_told(self, tmp_path: Path) -> None:
        description = loaded(save_means(tmp_path / "m.onnx", shape=("n", 1, "height", "width"))).description

        assert description is not None
        assert "size 48x48" in description.note

    def test_an_open_size_that_must_be_another_is_found(self, tmp_path: Path) -> None:
        before = [
            node("Reshape", "x", "row", output="flat"),
            node("MatMul", "flat", "means", output="mean of it"),
            node("Reshape", "mean of it", "picture", output="scaled"),
        ]
        constants = [constant("row", [0, -1], np.int64), constant("picture", [0, 1, 1, 1], np.int64)]
        constants.append(constant("means", np.full((96 * 96, 1), 1 / 96**2)))
        backend = loaded(save_means(tmp_path / "m.onnx", before, constants=constants, shape=("n", 1, "h", "w")))

        assert backend.description is not None
        assert backend.description.size.value == (96, 96)
        assert answer(backend)[0] is Emotion.HAPPY

    @pytest.mark.parametrize(
        ("shape", "found"),
        [(("n", 6912), "(n, 6912)"), (("n", 100), "(n, 100)"), (("n", 2, 48, 48), "(n, 2, 48, 48)"),
         (("n", "c", "h", "w"), "(n, n, n, n)"),         ((1, 1, 1, 48, 48), "(1, 1, 1, 48, 48)")],
        ids=str,
    )  # fmt: skip
    def test_layouts_that_may_be_several_things_are_refused(self, tmp_path: Path, shape: Sequence[Any], found: str) -> None:
        path = save_means(tmp_path / "m.onnx", shape=shape, axes=range(1, len(shape)))

        with pytest.raises(ModelError, match=r"expected one input \(n, height, width, 1 or 3\)") as caught:
            loaded(path)
        assert f"got x {found}" in str(caught.value)

    @pytest.mark.parametrize(
        ("kind", "scaling"),
        [
            (TensorProto.FLOAT16, "0..1"),
            (TensorProto.DOUBLE, "0..1"),
            (TensorProto.UINT8, "0..255"),
            (TensorProto.INT32, "0..255"),
        ],
    )
    def test_numbers_of_other_types(self, tmp_path: Path, kind: int, scaling: str) -> None:
        steps = [("Cast", None)] if scaling == "0..1" else [("Cast", None), ("Div", 255)]
        after = [node("Cast", "logits", output="y", to=TensorProto.FLOAT16)]
        outputs = [("y", ("n", 7), TensorProto.FLOAT16)]
        backend = loaded(save_means(tmp_path / "m.onnx", **arithmetic(*steps), after=after, kind=kind, outputs=outputs))

        assert backend.description is not None
        assert str(backend.description.scaling.value) == scaling
        assert answer(backend)[0] is Emotion.HAPPY
        assert backend.classify([GRAY]).dtype == np.float32

    def test_whole_numbers_take_no_other_scaling(self, tmp_path: Path) -> None:
        path = save_means(tmp_path / "m.onnx", **arithmetic(("Cast", None), ("Div", 255)), kind=TensorProto.UINT8)

        with pytest.raises(ModelError, match=r"takes pixels as they are \(uint8\)"):
            loaded(path, ModelConventions.of(scaling="-1..1"))

    @pytest.mark.parametrize(
        ("nodes", "size"),
        [
            ([node("Unsqueeze", "logits", "last two", output="y")], ("n", 7, 1, 1)),
            ([node("Unsqueeze", "logits", "zero", output="y")], (1, "n", 7)),
            ([node("Identity", "logits", output="y")], None),
        ],
        ids=["n-7-1-1", "1-n-7", "unknown"],
    )
    def test_outputs_of_other_shapes_are_squeezed(
        self, tmp_path: Path, nodes: list[onnx.NodeProto], size: Sequence[Any] | None
    ) -> None:
        constants = [constant("last two", [2, 3], np.int64), constant("zero", [0], np.int64)]
        path = save_means(tmp_path / "m.onnx", after=nodes, constants=constants, outputs=[("y", size, TensorProto.FLOAT)])

        assert loaded(path).classify([GRAY, GRAY]).argmax(axis=1).tolist() == [3, 3]

    @pytest.mark.parametrize("axis", [0, 1])
    def test_a_face_is_scored_by_itself(self, tmp_path: Path, axis: int) -> None:
        after = [node("Mul", "logits", "ten", output="sharp"), node("Softmax", "sharp", output="y", axis=axis)]
        path = save_means(tmp_path / "m.onnx", after=after, constants=[constant("ten", 10)])

        with nullcontext() if axis else pytest.raises(ModelError, match="scores of a face depend on the other faces of a batch"):
            loaded(path)

    def test_maps_of_scores_as_scikit_learn_exports_them_are_read(self, tmp_path: Path) -> None:
        path = save_means(tmp_path / "m.onnx", shape=("n", 2304), axes=[1])
        model = onnx.load(path)
        names = ["sad", "angry", "happy", "disgust", "fear", "neutral", "surprise"]
        zipped = onnx.helper.make_node("ZipMap", ["y"], ["z"], domain="ai.onnx.ml", classlabels_strings=names)
        model.graph.node.append(zipped)
        model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
        maps = onnx.helper.make_map_type_proto(TensorProto.STRING, onnx.helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        model.graph.output[0].CopyFrom(onnx.helper.make_value_info("z", onnx.helper.make_sequence_type_proto(maps)))
        path.write_bytes(model.SerializeToString())

        backend = loaded(path)
        assert backend.description is not None
        assert backend.description.labels.value == (tuple(sorted(names)),)
        # The network gives its fourth value for gray, which is the disgust of these names.
        assert answer(backend)[0] is Emotion.DISGUST

    def test_an_output_that_is_no_list_of_scores_is_refused(self, tmp_path: Path) -> None:
        nodes = [node("Shape", "x", output="s"), node("ConstantOfShape", "s", output="y")]
        path = save_means(tmp_path / "m.onnx", after=nodes)

        with pytest.raises(ModelError, match=r"m\.onnx: expected the output y to be \(n, labels\), got \(5, 1, 48, 48\)"):
            loaded(path)

    def test_a_network_that_fails_when_it_runs_is_refused(self, tmp_path: Path) -> None:
        nodes = [node("Reshape", "logits", "wrong", output="y")]
        path = save_means(tmp_path / "m.onnx", after=nodes, constants=[constant("wrong", [-1, 11], np.int64)])

        with pytest.raises(ModelError, match=r"m\.onnx: the network cannot be run \("):
            loaded(path)


SHARES = [node("Softmax", "logits", output="y")]


class TestScores:
    @pytest.mark.parametrize(
        ("after", "kind"),
        [
            ((), "logits"),
            ([node("Softmax", "logits", output="y")], "shares"),
            ([node("LogSoftmax", "logits", output="y")], "logits"),
            ([node("Sigmoid", "logits", output="y")], "independent scores"),
            ([node("Sigmoid", "logits", output="s"), node("Mul", "s", "hundred", output="y")], "scaled scores"),
            ([node("Softmax", "logits", output="s"), node("Mul", "hundred", "s", output="y")], "percents"),
            ([node("Softmax", "logits", output="s"), node("Reshape", "s", "same", output="y")], "shares"),
        ],
        ids=["logits", "softmax", "log-softmax", "sigmoid", "sigmoid-percent", "softmax-percent", "softmax-reshape"],
    )
    def test_what_the_last_operators_make_of_scores(self, tmp_path: Path, after: list[onnx.NodeProto], kind: str) -> None:
        constants = [constant("hundred", 100.0), constant("same", [-1, 7], np.int64)]
        backend = loaded(save_means(tmp_path / "m.onnx", after=after, constants=constants))

        assert backend.description is not None
        assert backend.description.scores == kind
        for level in (0, 30, 60, 100, 220, 255):
            scores = backend.classify([np.full((48, 48, 3), level, np.uint8)])[0]
            mean = level / 255
            logits = dict.fromkeys(EMOTIONS, -50.0) | {
                Emotion.ANGRY: 40 * mean - 32,
                Emotion.HAPPY: 0.0,
                Emotion.SAD: 8 - 40 * mean,
            }
            values = np.asarray([logits[emotion] for emotion in EMOTIONS])
            expected = (
                1 / (1 + np.exp(-values)) if "Sigmoid" in str([n.op_type for n in after]) else np.exp(values - values.max())
            )
            np.testing.assert_allclose(scores, expected / expected.sum(), atol=2e-3)

    def test_the_decision_is_the_same_for_all_frames(self, tmp_path: Path) -> None:
        """Logits that happen to be shares, or from 0 to 1, in one frame are read as logits all the same."""
        backend = loaded(save_means(tmp_path / "m.onnx", shape=("n", 1, 48, 48)))
        [alone] = backend.classify([GRAY])
        together = backend.classify([np.zeros_like(GRAY), GRAY])

        np.testing.assert_allclose(together[1], alone, atol=1e-6)


def two_outputs(path: Path, names: Sequence[str], counts: Sequence[int] = (7, 7)) -> Path:
    """The first output is always angry, the second what `save_means` says."""
    zeros = [
        constant("no", np.zeros((7, counts[0]), np.float32)),
        constant("angry", np.eye(1, counts[0], dtype=np.float32)[0] * 9),
    ]
    nodes = [node("Gemm", "logits", "no", "angry", output=names[0]), node("Identity", "logits", output=names[1])]
    outputs = [(name, ("n", count), TensorProto.FLOAT) for name, count in zip(names, counts, strict=True)]
    return save_means(path, after=nodes, constants=zeros, outputs=outputs)


class TestSeveralOutputs:
    @pytest.mark.parametrize(
        ("names", "counts"),
        [
            (("age", "emotion"), (7, 7)), (("gender", "FER_head"), (7, 7)), (("a", "Facial_Expression"), (7, 7)),
            (("features", "b"), (128, 7)), (("valence_arousal", "scores"), (2, 7)), (("emotion_features", "emotion"), (64, 7)),
        ],
    )  # fmt: skip
    def test_the_one_that_tells_emotions_is_read(self, tmp_path: Path, names: Sequence[str], counts: Sequence[int]) -> None:
        backend = loaded(two_outputs(tmp_path / "m.onnx", names, counts))

        assert answer(backend)[0] is Emotion.HAPPY
        assert backend.description is not None
        assert f"output-name {names[1]}" in backend.description.note

    def test_where_it_is_not_clear_all_are_named(self, tmp_path: Path) -> None:
        path = two_outputs(tmp_path / "m.onnx", ("first", "second"))

        with pytest.raises(ModelError, match=r"several outputs, first \(7\), second \(7\); `output_name` says which"):
            loaded(path)
        assert answer(loaded(path, ModelConventions(output_name="second")))[0] is Emotion.HAPPY
        assert answer(loaded(path, ModelConventions(output_name="first")))[0] is Emotion.ANGRY
        with pytest.raises(ModelError, match="has no output 'third'; it has first, second"):
            loaded(path, ModelConventions(output_name="third"))

    def test_as_many_labels_as_values_decide(self, tmp_path: Path) -> None:
        path = two_outputs(tmp_path / "m.onnx", ("first", "second"), (3, 7))

        backend = loaded(path, ModelConventions.of(["angry", "happy", "sad"]))
        assert answer(backend)[0] is Emotion.ANGRY


class TestLabels:
    @pytest.mark.parametrize(
        ("shape", "labels", "reason"),
        [
            (("n", 1, 64, 64), "neutral, happiness, surprise, sadness, anger, disgust, fear, contempt", "in the order of FER+"),
            (("n", 3, 48, 48), "anger, contempt, disgust, fear, happiness, neutral, sadness, surprise", "in alphabetical order"),
        ],
        ids=["ferplus", "affectnet"],
    )
    def test_the_order_of_eight_is_told(self, tmp_path: Path, shape: Sequence[Any], labels: str, reason: str) -> None:
        after = [node("Concat", "logits", "none", output="y", axis=1)]
        constants = [constant("none", np.full((5, 1), -60))]
        outputs = [("y", ("n", 8), TensorProto.FLOAT)]
        path = save_means(tmp_path / "m.onnx", after=after, constants=constants, outputs=outputs, shape=(5, *shape[1:]))

        description = loaded(path).description

        assert description is not None
        assert f"assumed, as the file does not say: labels {labels} ({reason})" in description.note

    def test_another_number_of_values_must_be_named(self, tmp_path: Path) -> None:
        after = [node("Slice", "logits", "from", "to", "one", output="y")]
        constants = [constant("from", [0], np.int64), constant("to", [6], np.int64)]
        path = save_means(tmp_path / "m.onnx", after=after, constants=constants, outputs=[("y", ("n", 6), TensorProto.FLOAT)])

        with pytest.raises(
            ModelError, match="output y has 6 values and the file does not say what they mean; `labels` names them"
        ):
            loaded(path)
        with pytest.raises(ModelError, match="expected 6 labels for the output y, got 7"):
            loaded(path, ModelConventions(ALPHABETICAL))
        assert answer(loaded(path, ModelConventions(ALPHABETICAL[:6])))[0] is Emotion.HAPPY


class TestChannels:
    def test_the_order_of_colors_is_told_and_can_be_changed(self, tmp_path: Path) -> None:
        """The network sees the first channel alone."""
        before = [node("Slice", "x", "from", "to", "one", output="scaled")]
        constants = [constant("from", [0], np.int64), constant("to", [1], np.int64)]
        path = save_means(tmp_path / "m.onnx", before, constants=constants, shape=("n", 3, 48, 48))
        blue = np.zeros((48, 48, 3), np.uint8)
        blue[..., 0] = 100

        description = loaded(path).description
        assert description is not None
        assert "channels rgb" in description.note
        assert answer(loaded(path), blue)[0] is Emotion.SAD
        assert answer(loaded(path, ModelConventions.of(channels="bgr")), blue)[0] is Emotion.HAPPY
        assert answer(loaded(path, ModelConventions.of(channels="gray")), np.full_like(blue, 100))[0] is Emotion.HAPPY

    def test_one_channel_is_gray(self, tmp_path: Path) -> None:
        path = save_means(tmp_path / "m.onnx")

        with pytest.raises(ModelError, match="takes one channel, which is gray, not bgr"):
            loaded(path, ModelConventions.of(channels="bgr"))
        with pytest.raises(ModelError, match="takes one channel, so that the scaling cannot have three"):
            loaded(path, ModelConventions.of(scaling="imagenet"))


class TestMetadata:
    def test_a_file_that_says_all_needs_no_note(self, tmp_path: Path) -> None:
        said = ModelMetadata({"y": ALPHABETICAL}, loaded(save_means(tmp_path / "plain.onnx")).metadata.scaling, "bgr").to_json()
        description = loaded(save_means(tmp_path / "m.onnx", shape=("n", 3, 48, 48), metadata=said)).description

        assert description is not None
        assert description.note == ""
        assert {description.labels.origin, description.scaling.origin, description.channels.origin} == {"metadata"}

    def test_mean_and_deviation_by_channel(self, tmp_path: Path) -> None:
        said = '{"labels": {}, "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225], "channels": "rgb"}'
        description = loaded(save_means(tmp_path / "m.onnx", shape=("n", 3, 48, 48), metadata=said)).description

        assert description is not None
        assert (str(description.scaling.value), description.scaling.origin) == ("imagenet", "metadata")
        assert description.channels.origin == "metadata"

    @pytest.mark.parametrize("value", ["-5", "1e300", "1.5"])
    def test_an_impossible_threshold_is_ignored_aloud(self, tmp_path: Path, value: str) -> None:
        backend = loaded(save_means(tmp_path / "m.onnx", metadata=f'{{"labels": {{}}, "uncertain_below": {value}}}'))

        assert backend.uncertain_below == 0.5
        assert backend.description is not None
        assert "of its metadata is no share from 0 to 1, which is ignored" in backend.description.note

    @pytest.mark.parametrize(
        "said",
        ['"scale": 0', '"scale": 1e308', '"scale": [1, 2]', '"offset": 1e300', '"scale": 1, "mean": 0.5', '"deviation": 0',
         '"channels": "rbg"',         '"scale": true', '"mean": []'],
    )  # fmt: skip
    def test_impossible_conventions_are_refused(self, tmp_path: Path, said: str) -> None:
        with pytest.raises(ModelError, match=r"m\.onnx: its emodetect metadata cannot be read"):
            loaded(save_means(tmp_path / "m.onnx", metadata=f'{{"labels": {{}}, {said}}}'))


def test_what_is_assumed_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save_means(tmp_path / "once.onnx")
    with caplog.at_level(logging.INFO, "emodetect"):
        for _ in range(3):
            emodetect.analyze(PHOTO, model=path)
        emodetect.analyze(PHOTO)

    [record] = [record for record in caplog.records if "assumed" in record.getMessage()]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "once.onnx: assumed, as the file does not say: labels angry, disgust, fear, happy, neutral, sad, surprise "
        "(in alphabetical order); scaling 0..1 (`labels`, `scaling` change that)"
    )


def test_a_caller_may_say_all(tmp_path: Path) -> None:
    path = save_means(tmp_path / "m.onnx", shape=("n", 3, 48, 48))
    description = loaded(path, ModelConventions.of(ALPHABETICAL, "0..1", "rgb")).description

    assert description is not None
    assert description.note == ""
