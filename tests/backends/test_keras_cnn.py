from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.backends.cnn import create_cnn
from emodetect.backends.conventions import ModelConventions
from emodetect.backends.keras_graph import own_scaling
from emodetect.backends.labels import TUTORIAL_LABELS
from emodetect.backends.metadata import ModelMetadata, write_keras_metadata
from emodetect.errors import ModelError
from emodetect.types import EMOTIONS, Emotion, Image
from tests.model_files import known_order_model


@pytest.mark.parametrize("kind", ["h5", "keras"])
def test_the_tutorials_file_scores_as_the_tutorial_scores_it(
    kind: str, tutorial_h5: Path, tutorial_keras: Path, face_crops: list[Image]
) -> None:
    import keras

    path = tutorial_h5 if kind == "h5" else tutorial_keras
    model = keras.models.load_model(path, compile=False)
    with create_cnn(str(path)) as backend:
        found = backend.classify(face_crops)

    for crop, scores in zip(face_crops, found, strict=True):
        # The tutorial's own lines, apart from the way large crops are reduced.
        gray = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        method = cv2.INTER_AREA if crop.shape[0] > 48 else cv2.INTER_LINEAR
        face = cv2.resize(gray, (48, 48), interpolation=method) / 255.0
        expected = model.predict(np.reshape(face, (1, 48, 48, 1)), verbose=0)[0]
        by_name = dict(zip(TUTORIAL_LABELS, expected, strict=True))
        np.testing.assert_allclose(scores, [by_name[emotion] for emotion in EMOTIONS], atol=1e-5)
    assert np.ptp(found, axis=0).max() > 0.01  # the faces differ, so that a mix-up would show


def test_labels_are_mapped_by_name(happy_when_bright: Path, gray_levels: list[Image]) -> None:
    labels = ("angry", "disgust", "fear", "neutral", "sad", "happy", "surprise")

    with create_cnn(str(happy_when_bright)) as backend:
        scores = backend.classify(gray_levels)
    with create_cnn(str(happy_when_bright), ModelConventions(labels)) as backend:
        renamed = backend.classify(gray_levels)

    assert EMOTIONS[int(scores[1].argmax())] is Emotion.HAPPY
    assert EMOTIONS[int(renamed[1].argmax())] is Emotion.NEUTRAL


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_metadata_of_our_training_is_followed(tmp_path: Path, suffix: str, gray_levels: list[Image]) -> None:
    path = tmp_path / f"model{suffix}"
    known_order_model(8, position=2).save(path)
    labels = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    write_keras_metadata(path, ModelMetadata(labels={"ferplus": labels}, uncertain_below=0.61))

    with create_cnn(str(path)) as backend:
        scores = backend.classify(gray_levels)

    assert EMOTIONS[int(scores[1].argmax())] is Emotion.SURPRISE
    assert backend.uncertain_below == 0.61


def test_size_and_channels_come_from_the_model(tmp_path: Path) -> None:
    path = tmp_path / "rgb.keras"
    model = known_order_model(7, size=64, channels=3, position=3)
    kernel = np.zeros((3, 7), np.float32)
    kernel[0, 3] = 9.0  # only red makes it happy: a BGR order would not
    model.layers[-1].set_weights([kernel, np.zeros(7, np.float32)])
    model.save(path)
    red, blue = np.zeros((2, 50, 50, 3), np.uint8)
    red[..., 2], blue[..., 0] = 255, 255

    with create_cnn(str(path)) as backend:
        scores = backend.classify([red, blue])

    happy = EMOTIONS.index(Emotion.HAPPY)
    assert scores[0, happy] > 0.9
    assert scores[1, happy] == pytest.approx(1 / 7, abs=1e-3)


def test_scaling_is_found_behind_what_keeps_the_range() -> None:
    import keras
    from keras import layers, ops

    gray = np.asarray([0.299, 0.587, 0.114], np.float32)
    for before in (
        lambda x: ops.clip(x, 0, 255),
        lambda x: ops.maximum(x, 0),
        lambda x: ops.moveaxis(x, 3, 1),
        ops.image.rgb_to_grayscale,
        lambda x: ops.mean(x, axis=-1, keepdims=True),
        lambda x: ops.sum(x * gray, axis=-1, keepdims=True),
        lambda x: ops.tensordot(x, gray.reshape(3, 1), axes=1),
        layers.ReLU(),
        layers.Activation("relu"),
        layers.RandomInvert(0.5),
        layers.RandomGaussianBlur(),
        layers.AutoContrast(),
    ):
        inputs = keras.Input((48, 48, 3))
        own = own_scaling(keras.Model(inputs, layers.Rescaling(1 / 255)(before(inputs))))
        assert own is not None
        assert str(own.expected) == "0..255"
        assert own.layers.startswith("Rescaling")


def test_a_file_that_keras_has_quantized_is_read(tmp_path: Path, gray_levels: list[Image]) -> None:
    model = known_order_model(7, position=3)
    model.quantize("int8", filters="dense")
    model.save(tmp_path / "model.keras")
    with create_cnn(str(tmp_path / "model.keras")) as backend:
        assert [EMOTIONS[place] for place in backend.classify(gray_levels).argmax(axis=1)][1] == Emotion.HAPPY


def test_the_network_is_traced_once(happy_when_bright: Path, gray_levels: list[Image]) -> None:
    with create_cnn(str(happy_when_bright)) as backend:
        for count in (1, 2, 5, 3, 1):
            assert backend.classify(gray_levels[:1] * count).shape == (count, 7)
        assert backend.classify([]).shape == (0, 7)
        # One traced function for batches of every size: retracing would cost hundreds of milliseconds a face count.
        traced = backend.network._calls.values()  # type: ignore[attr-defined]
        assert [function.experimental_get_tracing_count() for function in traced] == [1]


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("content", [b"this is no model", b"PK\x03\x04 broken"], ids=["text", "broken"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)

    with pytest.raises(ModelError) as caught:
        create_cnn(str(path)).load()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_without_a_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "only.weights.h5"
    known_order_model(7).save_weights(path)

    with pytest.raises(ModelError, match="weights only"):
        create_cnn(str(path)).load()


def test_the_number_of_outputs_must_fit_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "five.keras"
    known_order_model(5).save(path)

    with pytest.raises(ModelError, match="has 5 values and the file does not say what they mean; `labels`"):
        create_cnn(str(path)).load()
    with create_cnn(str(path), ModelConventions(("happy", "sad", "angry", "fear", "neutral"))) as backend:
        assert backend.name == "five.keras"


def test_the_input_must_be_a_picture(tmp_path: Path) -> None:
    import keras

    path = tmp_path / "table.keras"
    inputs = keras.Input((10,))
    keras.Model(inputs, keras.layers.Dense(7)(inputs)).save(path)

    with pytest.raises(ModelError, match="expected one input"):
        create_cnn(str(path)).load()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_model_that_carries_code_is_not_run(tmp_path: Path, suffix: str) -> None:
    import keras

    path, marker = tmp_path / f"evil{suffix}", str(tmp_path / "was-run")
    inputs = keras.Input((48, 48, 1))
    harmful = keras.layers.Lambda(lambda x: (os.open(marker, os.O_CREAT), x)[1])
    x = keras.layers.Flatten()(harmful(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x))
    model.save(path)
    Path(marker).unlink(missing_ok=True)

    with pytest.raises(ModelError, match="Lambda"):
        create_cnn(str(path)).load()
    assert not Path(marker).exists()


@pytest.mark.parametrize("kind", ["padding", "repeating"])
def test_a_layer_that_would_fill_the_memory_is_refused_before_it_runs(tmp_path: Path, kind: str) -> None:
    """A file of 15 KB can ask for any amount."""
    import h5py
    import keras

    layer = keras.layers.ZeroPadding2D(2) if kind == "padding" else keras.layers.UpSampling2D(2)
    small, large = {
        "padding": ('"padding": [[2, 2], [2, 2]]', '"padding": [[12000, 12000], [12000, 12000]]'),
        "repeating": ('"size": [2, 2]', '"size": [500, 500]'),
    }[kind]
    path = tmp_path / "m.h5"
    pooled = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7, activation="softmax")]
    keras.Sequential([keras.Input((48, 48, 1)), layer, *pooled]).save(path)
    with h5py.File(path, "r+") as file:
        assert small in file.attrs["model_config"]
        file.attrs["model_config"] = file.attrs["model_config"].replace(small, large)

    with pytest.raises(ModelError, match=r"takes 2\.\d+ GB for each face; a layer may take 256 MB"):
        create_cnn(str(path)).load()
