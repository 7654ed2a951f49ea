"""Models of Keras 2, made by Keras 2 itself, and what the first layers of a Keras model tell, of either version."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from emodetect.backends import keras_graph
from emodetect.backends.cnn import create_cnn
from emodetect.backends.conventions import ModelConventions
from emodetect.backends.keras_cnn import KerasBackend, is_keras2, load_keras_model
from emodetect.backends.keras_import import import_keras, import_keras2
from emodetect.backends.labels import TUTORIAL_LABELS
from emodetect.backends.metadata import ModelMetadata, write_keras_metadata
from emodetect.errors import ModelError
from emodetect.types import EMOTIONS, Emotion, Image

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

Build = Callable[[Any, Any], Any]
"""Puts layers after an input, of the Keras that is given."""


def head(keras: Any, x: Any, activation: str | None = "softmax") -> Any:
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.layers.Dense(7, activation=activation)(x)


def build(keras: Any, layers: Build, channels: int = 3, size: int = 32) -> Any:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((size, size, channels))
    return keras.Model(inputs, layers(keras, inputs))


def convolutions(keras: Any, x: Any) -> Any:
    layers = keras.layers
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.SeparableConv2D(8, 3, activation="relu", padding="same")(x)
    x = layers.SpatialDropout2D(0.2)(layers.LeakyReLU()(layers.BatchNormalization()(x)))
    x = layers.Conv2DTranspose(4, 3)(layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(8, 3, groups=2)(x)))
    return head(keras, layers.Add()([x, layers.GaussianNoise(0.1)(layers.ELU()(x))]))


def operators(keras: Any, x: Any) -> Any:
    import tensorflow as tf

    x = tf.concat([x, x[..., ::-1]], axis=-1) * 2.0
    x = tf.image.resize(tf.nn.relu(x - 0.5), (16, 16)) + tf.reduce_mean(x, axis=(1, 2), keepdims=True)
    return tf.nn.softmax(keras.layers.Dense(7)(tf.reshape(tf.transpose(x, (0, 2, 1, 3)), (-1, 16 * 16 * 6))))


def attention(keras: Any, x: Any) -> Any:
    layers = keras.layers
    x = layers.Conv2D(8, 3, strides=4)(x)
    y = layers.Reshape((1, 1, 8))(layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(x)))
    x = layers.Reshape((-1, 8))(layers.Multiply()([x, y]))
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.Bidirectional(layers.LSTM(4))(layers.TimeDistributed(layers.Dense(6))(x))
    return layers.Dense(7, activation="softmax", kernel_regularizer="l2")(x)


def mobilenet(keras: Any, x: Any) -> Any:
    x = keras.applications.mobilenet_v2.preprocess_input(x)
    return head(keras, keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None, alpha=0.35)(x))


def efficientnet(keras: Any, x: Any) -> Any:
    x = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)])(x)
    return head(keras, keras.applications.EfficientNetB0(input_shape=(32, 32, 3), include_top=False, weights=None)(x))


@pytest.fixture(scope="module")
def keras2() -> Any:
    return import_keras2()


@pytest.mark.parametrize(
    ("layers", "suffixes", "scaling"),
    [
        (convolutions, (".h5", ".keras"), "0..1"),
        (operators, (".h5",), "0..1"),  # Keras 2 itself cannot save these in an archive
        (attention, (".h5", ".keras"), "0..1"),
        (mobilenet, (".h5",), "0..255"),
        (efficientnet, (".keras",), "0..255"),
    ],
)
def test_scores_are_those_of_keras_2_itself(
    tmp_path: Path, keras2: Any, layers: Build, suffixes: tuple[str, ...], scaling: str, face_crops: list[Image]
) -> None:
    model = build(keras2, layers)
    for suffix in suffixes:
        path = tmp_path / f"model{suffix}"
        model.save(path)
        with create_cnn(str(path), ModelConventions.of(TUTORIAL_LABELS, channels="rgb")) as backend:
            assert isinstance(backend, KerasBackend)
            assert is_keras2(backend.keras_model)
            found = backend.classify(face_crops)
            expected = np.asarray(model(backend.prepare(face_crops), training=False))  # `predict` would build a graph
            assert backend.description is not None
            assert str(backend.description.scaling.value) == scaling
        np.testing.assert_allclose(found, expected[:, [TUTORIAL_LABELS.index(emotion) for emotion in EMOTIONS]], atol=1e-5)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_outputs_with_keys_keep_their_names(
    tmp_path: Path, keras2: Any, version: int, suffix: str, gray_levels: list[Image]
) -> None:
    """Keras sorts the keys; what it returns may be in another order."""
    keras = keras2 if version == 2 else import_keras()
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    happy, angry = keras.layers.Dense(7, activation="softmax"), keras.layers.Dense(7, activation="softmax")
    model = keras.Model(inputs, {"z_emotion": happy(x), "a_age": angry(x)})
    for dense, place in ((happy, 3), (angry, 0)):
        dense.set_weights([np.zeros((1, 7)), 9 * np.eye(7)[place]])
    path = tmp_path / f"model{suffix}"
    model.save(path)

    with create_cnn(str(path)) as backend:
        assert backend.description is not None
        assert [output.name for output in backend.description.outputs] == ["a_age", "z_emotion"]
        assert EMOTIONS[int(backend.classify(gray_levels)[0].argmax())] is Emotion.HAPPY
    with create_cnn(str(path), ModelConventions(output_name="a_age")) as backend:
        assert EMOTIONS[int(backend.classify(gray_levels)[0].argmax())] is Emotion.ANGRY


def test_layouts_of_keras_models(tmp_path: Path, keras2: Any, gray_levels: list[Image]) -> None:
    """Channels first, rows of numbers, pictures without channels, a fixed batch, open sizes, bytes."""
    layers = keras2.layers
    for number, (shape, kind, batch) in enumerate(
        [((1, 48, 48), None, None), ((2304,), None, None), ((48, 48), None, None), ((48, 48, 1), None, 4),
         ((None, None, 3), None, None), ((48, 48, 3), "uint8", None)]
    ):  # fmt: skip
        inputs = keras2.Input(shape, dtype=kind, batch_size=batch)
        x = layers.Rescaling(1 / 255)(inputs) if kind else inputs
        if None in shape:
            x = layers.GlobalAveragePooling2D()(x)
        x = layers.Flatten()(x)
        dense = layers.Dense(7, activation="softmax")
        model = keras2.Model(inputs, dense(x))
        kernel = np.zeros((x.shape[1], 7), np.float32)
        kernel[:, 3] = 20 / x.shape[1]
        dense.set_weights([kernel, np.asarray([0, 0, 0, -10, 0, 0, 0], np.float32)])
        path = tmp_path / f"layout{number}.keras"
        model.save(path)
        with create_cnn(str(path)) as backend:
            dark, bright = backend.classify(gray_levels)
            assert bright[EMOTIONS.index(Emotion.HAPPY)] > 0.9 > 0.1 > dark[EMOTIONS.index(Emotion.HAPPY)], shape
            assert backend.classify(gray_levels * 3).shape == (6, 7)


def test_half_precision_is_read(tmp_path: Path, keras2: Any, face_crops: list[Image]) -> None:
    def layers(keras: Any, x: Any) -> Any:
        x = keras.layers.Conv2D(8, 3, activation="relu", dtype="mixed_float16")(x)
        return keras.layers.Activation("softmax", dtype="float16")(head(keras, x, None))

    for suffix in (".h5", ".keras"):
        path = tmp_path / f"half{suffix}"
        build(keras2, layers).save(path)
        with create_cnn(str(path)) as backend:
            np.testing.assert_allclose(backend.classify(face_crops).sum(axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("version", [None, "2.2.4-tf", "1.2.2", b"2.15.0", "nonsense"])
def test_a_file_that_says_no_version_or_an_old_one(tmp_path: Path, keras2: Any, version: str | bytes | None) -> None:
    path = tmp_path / "old.h5"
    build(keras2, lambda keras, x: head(keras, keras.layers.DepthwiseConv2D(3)(x))).save(path)
    with h5py.File(path, "r+") as file:
        del file.attrs["keras_version"]
        if version is not None:
            file.attrs["keras_version"] = version

    assert is_keras2(load_keras_model(path))


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_metadata_are_followed(tmp_path: Path, keras2: Any, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    build(keras2, lambda keras, x: head(keras, x)).save(path)
    labels = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
    said = ModelMetadata({"ferplus": labels}, ModelConventions.of(scaling="imagenet").scaling, "bgr", uncertain_below=0.7)
    write_keras_metadata(path, said)

    with create_cnn(str(path)) as backend:
        assert backend.description is not None
        assert backend.description.note == ""
        assert backend.description.labels.value == (labels,)
        assert str(backend.description.scaling.value) == "imagenet"
        assert backend.description.channels.value == "bgr"
        assert backend.uncertain_below == 0.7


class TestSafety:
    @pytest.mark.parametrize("suffix", [".h5", ".keras"])
    def test_a_lambda_layer_is_not_run(self, tmp_path: Path, keras2: Any, suffix: str) -> None:
        path, mark = tmp_path / f"evil{suffix}", str(tmp_path / "was-run")
        harmful = keras2.layers.Lambda(lambda x: (os.open(mark, os.O_CREAT), x)[1])
        build(keras2, lambda keras, x: head(keras, harmful(x))).save(path)
        Path(mark).unlink(missing_ok=True)

        with pytest.raises(ModelError, match=r"holds a Lambda layer, that is Python code, which is not run for safety"):
            create_cnn(str(path)).load()
        assert not Path(mark).exists()

    @pytest.mark.parametrize("suffix", [".h5"])
    def test_an_operator_that_writes_files_is_not_run(self, tmp_path: Path, keras2: Any, suffix: str) -> None:
        import tensorflow as tf

        def layers(keras: Any, x: Any) -> Any:
            tensor = tf.debugging.check_numerics(x, str(tmp_path / "message"))
            return head(keras, tensor)

        path = tmp_path / f"evil{suffix}"
        build(keras2, layers).save(path)

        with pytest.raises(
            ModelError, match=r"calls the TensorFlow operator debugging\.check_numerics, which is refused for safety"
        ):
            create_cnn(str(path)).load()

    def test_what_the_file_asks_for_is_named_in_full(self, tmp_path: Path, keras2: Any) -> None:
        @keras2.saving.register_keras_serializable(package="mine")
        class Strange(keras2.layers.Layer):  # type: ignore[misc]
            pass

        path = tmp_path / "strange.h5"
        build(keras2, lambda keras, x: head(keras, Strange()(x))).save(path)

        with pytest.raises(ModelError, match=r"strange\.h5: needs mine>Strange, which is none of Keras's own layers"):
            create_cnn(str(path)).load()

    @pytest.mark.parametrize("version", ["2.15.0", "3.4.1"])
    def test_an_unknown_class_is_named(self, tmp_path: Path, keras2: Any, version: str) -> None:
        path = tmp_path / "own.h5"
        build(keras2, lambda keras, x: head(keras, keras.layers.ReLU(name="mine")(x))).save(path)
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = file.attrs["model_config"].replace('"ReLU"', '"SqueezeBlock"')
            file.attrs["keras_version"] = version

        with pytest.raises(
            ModelError, match=r"own\.h5: Keras cannot load it: it needs SqueezeBlock, which is none of Keras's own layers"
        ):
            create_cnn(str(path)).load()

    @pytest.mark.parametrize(("suffix", "name"), [(".h5", "a function"), (".keras", "blend")])
    def test_an_own_function_is_named(self, tmp_path: Path, keras2: Any, suffix: str, name: str) -> None:
        def blend(x: Any) -> Any:
            return 0.5 * x

        path = tmp_path / f"own{suffix}"
        build(keras2, lambda keras, x: head(keras, keras.layers.Dense(4, activation=blend)(x))).save(path)
        with pytest.raises(ModelError, match=f"Keras cannot load it: it needs {name}, which is none of Keras's own layers"):
            create_cnn(str(path)).load()

    def test_an_own_layer_of_an_archive_is_named(self, tmp_path: Path, keras2: Any) -> None:
        class Strange(keras2.layers.Layer):  # type: ignore[misc]
            pass

        Strange.__module__ = "__main__"  # as in a notebook
        path = tmp_path / "own.keras"
        build(keras2, lambda keras, x: head(keras, Strange()(x))).save(path)
        with pytest.raises(ModelError, match="it needs Strange, which is none of Keras's own layers"):
            create_cnn(str(path)).load()


def rescaling(scale: float, offset: float = 0.0) -> Build:
    return lambda keras, x: keras.layers.Rescaling(scale, offset)(x)


def nested(layers: Build) -> Build:
    def add(keras: Any, x: Any) -> Any:
        inner = keras.Input(x.shape[1:])
        return keras.Model(inner, keras.layers.Conv2D(2, 1)(layers(keras, inner)))(x)

    return add


def in_sequence(layers: Build) -> Build:
    def add(keras: Any, x: Any) -> Any:
        inner = keras.Input(x.shape[1:])
        block = keras.Model(inner, layers(keras, inner))
        return keras.Sequential([keras.layers.RandomFlip(), keras.Sequential([keras.layers.Dropout(0.1), block])])(x)

    return add


def standardized(mean: float, deviation: float) -> Build:
    return lambda keras, x: keras.layers.Normalization(axis=-1, mean=[mean] * 3, variance=[deviation**2] * 3)(x)


def adapted(keras: Any, x: Any) -> Any:
    layer = keras.layers.Normalization(axis=-1)
    layer.adapt(np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.float32))
    return layer(x)


def learned(mean: float, deviation: float) -> Build:
    def add(keras: Any, x: Any) -> Any:
        layer = keras.layers.BatchNormalization()
        x = layer(x)
        layer.set_weights([np.ones(3), np.zeros(3), np.full(3, mean), np.full(3, deviation**2)])
        return x

    return add


def chain(*steps: Build) -> Build:
    def add(keras: Any, x: Any) -> Any:
        for step in steps:
            x = step(keras, x)
        return x

    return add


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("layers", "scaling"),
    [
        pytest.param(rescaling(1 / 255), "0..255", id="rescaling"),
        pytest.param(rescaling(1 / 127.5, -1), "0..255", id="symmetric"),
        pytest.param(nested(rescaling(1 / 255)), "0..255", id="nested"),
        pytest.param(in_sequence(rescaling(1 / 255)), "0..255", id="after-augmentation"),
        pytest.param(chain(rescaling(1 / 127.5, -1), rescaling(0.5, 0.5)), "0..255", id="two"),
        pytest.param(adapted, "0..255", id="adapted"),
        pytest.param(standardized(129, 65), "0..255", id="normalization-of-bytes"),
        pytest.param(standardized(0.5, 0.25), "0..1", id="normalization-of-shares"),
        pytest.param(learned(120, 60), "0..255", id="batch-norm-of-bytes"),
        pytest.param(learned(0.5, 0.25), "0..1", id="batch-norm-of-shares"),
        pytest.param(learned(0, 0.5), "-1..1", id="batch-norm-about-zero"),
        pytest.param(rescaling(2, -1), "0..1", id="doubled"),
        pytest.param(rescaling(255), "0..1", id="to-bytes"),
        pytest.param(chain(rescaling(255), rescaling(1 / 255)), "0..1", id="there-and-back"),
        pytest.param(rescaling(127.5, 127.5), "-1..1", id="to-bytes-from-one"),
        pytest.param(lambda keras, x: keras.applications.resnet50.preprocess_input(x), "0..255", id="caffe"),
        pytest.param(lambda keras, x: keras.applications.densenet.preprocess_input(x), "0..255", id="torch"),
        pytest.param(lambda keras, x: x / 255.0 - 0.5, "0..255", id="operators"),
        pytest.param(lambda keras, x: keras.layers.Concatenate()([x / 255.0, x / 255.0]), "0..255", id="branches"),
        pytest.param(lambda keras, x: x * 1e-6, None, id="nothing-usual"),
        pytest.param(lambda keras, x: 255.0 / (x + 1.0), None, id="reciprocal"),
        pytest.param(chain(rescaling(1 / 255), lambda keras, x: x**0.5), None, id="root"),
        pytest.param(lambda keras, x: keras.layers.Dropout(0.1)(x), "none", id="nothing"),
        pytest.param(lambda keras, x: keras.layers.BatchNormalization()(x), "none", id="batch-norm-untrained"),
        pytest.param(chain(lambda keras, x: keras.layers.Conv2D(3, 1)(x), rescaling(1 / 255)), "none", id="after-learning"),
    ],
)
def test_the_first_layers_tell_what_the_model_wants(version: int, layers: Build, scaling: str | None, keras2: Any) -> None:
    keras = keras2 if version == 2 else import_keras()
    own = keras_graph.own_scaling(build(keras, lambda keras, x: head(keras, keras.layers.Conv2D(2, 3)(layers(keras, x)))))

    if scaling == "none":
        assert own is None
    else:
        assert own is not None
        assert (None if own.expected is None else str(own.expected)) == scaling


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        pytest.param(lambda keras, x: head(keras, x, None), "linear", id="none"),
        pytest.param(lambda keras, x: head(keras, x, "softmax"), "softmax", id="softmax"),
        pytest.param(lambda keras, x: keras.layers.Activation("sigmoid")(head(keras, x, None)), "sigmoid", id="activation"),
        pytest.param(lambda keras, x: keras.layers.Softmax()(head(keras, x, None)), "softmax", id="layer"),
        pytest.param(lambda keras, x: keras.layers.Reshape((7,))(head(keras, x, "sigmoid")), "sigmoid", id="reshaped"),
        pytest.param(lambda keras, x: keras.layers.Rescaling(100.0)(head(keras, x, "softmax")), "softmax", id="percent"),
        pytest.param(lambda keras, x: head(keras, x, "sigmoid") * 100.0, "sigmoid", id="percent-by-operator"),
        pytest.param(
            lambda keras, x: keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7, "softmax")])(x),
            "softmax",
            id="nested",
        ),
    ],
)
def test_the_last_activation(version: int, layers: Build, activation: str, keras2: Any) -> None:
    keras = keras2 if version == 2 else import_keras()

    assert keras_graph.activation(build(keras, layers), 0) == activation


def test_scores_of_keras_models_are_read_by_their_last_activation(tmp_path: Path, keras2: Any, gray_levels: list[Image]) -> None:
    """Independent scores and percents keep their proportions; logits go through a softmax."""
    wide = np.asarray([[0, 0, 0, 2, 1, 0, 0]], np.float32)
    for activation, factor, expected in (("sigmoid", 1, 0.2), ("sigmoid", 100, 0.2), (None, 1, 0.5)):
        dense = keras2.layers.Dense(7, activation=activation)
        layers = chain(lambda keras, x, dense=dense: dense(keras.layers.GlobalAveragePooling2D()(x)), rescaling(factor))  # type: ignore[misc]
        model = build(keras2, layers, channels=1)
        dense.set_weights([wide, np.zeros(7, np.float32)])
        path = tmp_path / "scores.h5"
        model.save(path)
        with create_cnn(str(path)) as backend:
            [_, bright] = backend.classify(gray_levels)
            raw = wide[0] * 250 / 255
            values = 1 / (1 + np.exp(-raw)) if activation else np.exp(raw)
            assert bright[EMOTIONS.index(Emotion.HAPPY)] == pytest.approx(values[3] / values.sum(), abs=1e-3)
            assert values[3] / values.sum() == pytest.approx(expected, abs=0.1)
