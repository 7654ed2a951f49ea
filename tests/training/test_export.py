from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.backends.cnn import create_cnn
from emodetect.backends.file_backend import ModelFileBackend
from emodetect.backends.keras_import import import_keras
from emodetect.backends.metadata import ModelMetadata, write_keras_metadata
from emodetect.backends.onnx_session import model_metadata, open_session
from emodetect.cli.group import cli
from emodetect.errors import ModelError, OutputError, UsageError
from emodetect.training.architectures import architecture_named
from emodetect.training.data.labeled import as_input
from emodetect.training.parity_faces import read_parity_faces
from tests.cli.running import assert_one_line, run
from tests.onnx_files import node, save_means

RUN = Path(__file__).parents[2] / "docs" / "runs" / "compact"


def export(*arguments: object) -> None:
    cli.main(["export", *map(str, arguments)], standalone_mode=False)


def save_compact(path: Path, weights: Path | None = None) -> Path:
    architecture = architecture_named("compact")
    model = architecture.build(architecture.heads)
    if weights:
        model.load_weights(weights)
    model.save(path)
    labels = {head.name: head.labels for head in architecture.heads if head.learns != "face"}
    write_keras_metadata(path, ModelMetadata(labels=labels, default="mean", uncertain_below=0.42, face="face", face_above=0.9))
    return path


def test_labels_scaling_and_threshold_travel_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save_compact(tmp_path / "model.keras")
    export(source, tmp_path / "model.onnx")
    assert "54 crops of a portrait" in capsys.readouterr().err
    faces = read_parity_faces(None).crops
    with create_cnn(str(source)) as keras_model, create_cnn(str(tmp_path / "model.onnx")) as onnx_model:
        assert onnx_model.uncertain_below == keras_model.uncertain_below == 0.42
        assert onnx_model.tells_contempt
        assert keras_model.tells_contempt
        np.testing.assert_allclose(onnx_model.classify(faces), keras_model.classify(faces), atol=1e-4)
        np.testing.assert_allclose(onnx_model.classify_eight(faces), keras_model.classify_eight(faces), atol=1e-4)


def test_outputs_in_a_dictionary_keep_their_names(tmp_path: Path) -> None:
    keras = import_keras()
    inputs = keras.Input((48, 48, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = {"feeling": keras.layers.Dense(7, "softmax", name="a")(mean), "age": keras.layers.Dense(1, name="b")(mean)}
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    export(tmp_path / "model.keras", tmp_path / "model.onnx")
    faces = read_parity_faces(None).crops
    with create_cnn(str(tmp_path / "model.keras")) as keras_model, create_cnn(str(tmp_path / "model.onnx")) as onnx_model:
        np.testing.assert_allclose(onnx_model.classify(faces), keras_model.classify(faces), atol=1e-4)
        assert onnx_model.description is not None
        assert [output.name for output in onnx_model.description.outputs] == ["age", "feeling"]


@pytest.mark.parametrize("activation", ["softplus", "relu", "hard_sigmoid"])
def test_scores_are_read_as_before(tmp_path: Path, activation: str) -> None:
    keras = import_keras()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((48, 48, 1))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 5, strides=4, activation="relu")(inputs))
    keras.Model(inputs, keras.layers.Dense(7, activation)(mean)).save(tmp_path / "model.keras")
    export(tmp_path / "model.keras", tmp_path / "model.onnx")
    faces = read_parity_faces(None).crops
    with create_cnn(str(tmp_path / "model.keras")) as keras_model, create_cnn(str(tmp_path / "model.onnx")) as onnx_model:
        assert onnx_model.description is not None
        assert keras_model.description is not None
        assert onnx_model.description.scores == keras_model.description.scores
        np.testing.assert_allclose(onnx_model.classify(faces), keras_model.classify(faces), atol=1e-4)


def test_scores_that_are_read_in_another_way_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_means(tmp_path / "model.onnx", after=[node("Softmax", "logits", output="y")])
    known = ModelFileBackend.metadata.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(ModelFileBackend, "metadata", property(lambda self: replace(known(self), scores={"y": "logits"})))
    with pytest.raises(ModelError, match="differs from what it was made of by"):
        export(tmp_path / "model.onnx", tmp_path / "other.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_parity_is_measured_on_the_given_faces(data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_means(tmp_path / "model.onnx", after=[node("Softmax", "logits", output="y")])
    export(tmp_path / "model.onnx", tmp_path / "other.onnx", "--data", data_set)
    assert f"on 21 faces of {data_set / 'test'}" in capsys.readouterr().err


def test_the_portrait_gives_faces_of_several_sizes() -> None:
    faces = read_parity_faces(None).crops
    assert len(faces) == 54
    assert len({face.shape for face in faces}) >= 3


@pytest.mark.parametrize("error", [2e-4, float("nan")])
def test_a_network_that_differs_leaves_no_file(tmp_path: Path, error: float) -> None:
    import_keras()
    from emodetect.training.export import write_onnx

    baseline = architecture_named("baseline")
    model = baseline.build(baseline.heads)
    predict = model.predict
    model.predict = lambda *arguments, **options: predict(*arguments, **options) + np.float32(error)
    metadata = ModelMetadata(labels={"fer2013": baseline.heads[0].labels})
    with pytest.raises(ModelError, match=r"model\.onnx: the exported network differs from what it was made of by"):
        write_onnx(model, tmp_path / "model.onnx", metadata, np.zeros((2, 48, 48, 1), np.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def shipped_network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The embedded network's own weights as a Keras file, and crops of the portrait as a folder of labeled faces."""
    if not RUN.is_dir():
        pytest.skip("the embedded network's run lies beside src in a checkout only")
    folder = tmp_path_factory.mktemp("shipped")
    source = save_compact(folder / "model.keras", RUN / "best.weights.h5")
    faces = folder / "faces"
    (faces / "happy").mkdir(parents=True)
    for number, face in enumerate(read_parity_faces(None).crops):
        cv2.imwrite(str(faces / "happy" / f"{number}.png"), face)
    return source, faces


def test_a_network_in_8_bits_is_smaller_and_answers_the_same(
    shipped_network: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, faces = shipped_network
    export(source, tmp_path / "plain.onnx", "--data", faces)
    export(source, tmp_path / "small.onnx", "--data", faces, "--int8")
    assert "100.0% of the answers the same on 54 faces" in capsys.readouterr().err
    assert (tmp_path / "small.onnx").stat().st_size < 0.4 * (tmp_path / "plain.onnx").stat().st_size
    crops = read_parity_faces(None).crops
    with create_cnn(str(tmp_path / "plain.onnx")) as plain, create_cnn(str(tmp_path / "small.onnx")) as small:
        assert small.uncertain_below == plain.uncertain_below == 0.42
        assert small.tells_contempt
        difference = np.abs(small.classify(crops) - plain.classify(crops))
        assert 0 < difference.max() < 0.1
    check_that_the_threshold_of_faces_is_measured_again(tmp_path / "small.onnx")


def check_that_the_threshold_of_faces_is_measured_again(path: Path) -> None:
    from emodetect.training.export import measure_face_threshold
    from emodetect.training.trained_model import TrainedModel, face_threshold

    before = model_metadata(open_session(path), path)
    assert before is not None
    crops = [cv2.cvtColor(cv2.resize(face, (48, 48)), cv2.COLOR_BGR2GRAY) for face in read_parity_faces(None).crops]
    trained = TrainedModel(None, architecture_named("compact").heads, before, np.asarray(crops, np.uint8))
    measure_face_threshold(path, trained)
    after = model_metadata(open_session(path), path)
    assert after is not None
    [scores] = open_session(path).run(["face"], {"faces": as_input(trained.small_faces)})
    assert after.face_above == face_threshold(scores[:, 1]) != before.face_above
    assert replace(after, face_above=before.face_above) == before


def test_a_network_that_suffers_in_8_bits_leaves_no_file(
    shipped_network: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, faces = shipped_network
    monkeypatch.setattr("emodetect.training.export._MIN_AGREEMENT", 1.01)  # as if it had changed an answer
    with pytest.raises(ModelError, match=r"small\.onnx: in 8 bits only 100% of the answers stay the same"):
        export(source, tmp_path / "small.onnx", "--data", faces, "--int8")
    assert not list(tmp_path.glob("*small*"))


def test_8_bits_want_faces_to_measure_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--int8 requires --data"):
        export(save_compact(tmp_path / "model.keras"), tmp_path / "model.onnx", "--int8")


def test_what_cannot_be_exported_gives_one_line(tmp_path: Path) -> None:
    assert_one_line(run("export", tmp_path / "model.h5", tmp_path / "model.onnx"), 1, "model.h5: no such model file or run")
    (tmp_path / "model.h5").write_bytes(b"no model")
    with pytest.raises(ModelError, match="not a Keras model file"):
        export(tmp_path / "model.h5", tmp_path / "model.onnx")
    with pytest.raises(OutputError, match=r"expected a name ending in \.onnx"):
        export(tmp_path / "model.h5", tmp_path / "model.pb")
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_labels_that_do_not_fit_are_named(tmp_path: Path) -> None:
    baseline = architecture_named("baseline")
    baseline.build(baseline.heads).save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match=r"expected 7 labels for the output .*, got 2 \(happy, sad\); --labels names them"):
        export(tmp_path / "model.keras", tmp_path / "model.onnx", "--labels", "happy,sad")
