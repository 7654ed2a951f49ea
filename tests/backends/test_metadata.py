from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from emodetect.backends.conventions import Scaling
from emodetect.backends.keras_file import keras_version
from emodetect.backends.metadata import KEY, ModelMetadata, plain_archive, read_keras_metadata, write_keras_metadata
from emodetect.errors import ModelError

FULL = ModelMetadata(
    labels={"fer2013": ("angry", "sad"), "ferplus": ("neutral", "contempt")},
    scaling=Scaling.parse("-1..1"),
    channels="gray",
    uncertain_below=0.55,
    default="mean",
    scores={"fer2013": "logits"},
    facts={"epochs": 30, "data": "FER-2013", "accuracy": {"fer2013": 0.7}, "umlaut": "ü"},
)


def make_keras(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(range(256)) * 20)
    return path


def make_h5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["weights"] = np.arange(5)
        file.attrs["keras_version"] = "3"
    return path


@pytest.mark.parametrize("metadata", [FULL, ModelMetadata({"emotion": ("happy",)}), ModelMetadata({})])
def test_what_is_written_is_read_again(metadata: ModelMetadata) -> None:
    assert ModelMetadata.from_json(metadata.to_json(), Path("model.onnx")) == metadata


def test_the_order_of_labels_and_outputs_is_kept() -> None:
    result = ModelMetadata.from_json(FULL.to_json(), Path("model.onnx"))
    assert list(result.labels) == ["fer2013", "ferplus"]
    assert result.labels["ferplus"] == ("neutral", "contempt")


def test_what_is_left_out_has_its_default() -> None:
    result = ModelMetadata.from_json('{"labels": {"a": ["happy"]}}', Path("model.onnx"))
    assert result == ModelMetadata({"a": ("happy",)})
    assert result.scaling is None
    assert result.uncertain_below is None


def test_numbers_that_json_has_not_are_none() -> None:
    text = '{"labels": {"y": ["happy"]}, "facts": {"a": NaN, "b": -Infinity, "c": 1e999, "d": 0.5}}'
    assert ModelMetadata.from_json(text, Path("model.onnx")).facts == {"a": None, "b": None, "c": None, "d": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        '{"labels": 3}',
        '{"labels": ["happy"]}',
        '{"labels": {}, "color": 1}',
        '{"labels": {"a": 1}}',
    ],
)
def test_anything_else_is_an_error_that_names_the_file(text: str) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx: its emodetect metadata cannot be read"):
        ModelMetadata.from_json(text, Path("model.onnx"))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_metadata_in_a_keras_file(tmp_path: Path, name: str) -> None:
    path = make_h5(tmp_path / name) if name == "model.h5" else make_keras(tmp_path / name)
    assert read_keras_metadata(path) is None
    write_keras_metadata(path, FULL)
    assert read_keras_metadata(path) == FULL
    # Written again, the new one stands instead of the old one.
    newer = ModelMetadata({"emotion": ("sad",)})
    write_keras_metadata(path, newer)
    assert read_keras_metadata(path) == newer
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_rest_of_a_keras_archive_stays_as_it_is(tmp_path: Path) -> None:
    path = make_keras(tmp_path / "model.keras")
    write_keras_metadata(path, FULL)
    write_keras_metadata(path, FULL)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["config.json", f"{KEY}.json", "model.weights.h5"]
        assert archive.read("model.weights.h5") == bytes(range(256)) * 20
        assert archive.testzip() is None


def test_the_rest_of_an_hdf5_file_stays_as_it_is(tmp_path: Path) -> None:
    path = make_h5(tmp_path / "model.h5")
    write_keras_metadata(path, FULL)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["weights"][:], np.arange(5))
        assert file.attrs["keras_version"] == "3"
        assert json.loads(file.attrs[KEY])["default"] == "mean"


def test_broken_metadata_in_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = make_keras(tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{KEY}.json", "[1, 2]")
    with pytest.raises(ModelError, match=r"model\.keras: its emodetect metadata"):
        read_keras_metadata(path)


class TestPlainArchive:
    def test_it_has_what_keras_reads_and_says_the_same(self, tmp_path: Path) -> None:
        path = make_keras(tmp_path / "model.keras")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
            archive.writestr("assets/words.txt", "none of Keras's own layers that are allowed needs it")
        write_keras_metadata(path, FULL)
        plain = tmp_path / "plain.keras"
        plain.write_bytes(plain_archive(path.read_bytes()))
        with zipfile.ZipFile(plain) as archive:
            assert set(archive.namelist()) == {"config.json", "metadata.json", "model.weights.h5"}
            assert archive.read("model.weights.h5") == bytes(range(256)) * 20
        assert read_keras_metadata(plain) == FULL
        assert keras_version(plain) == "3.15.1"

    @pytest.mark.parametrize("extra", ["pickled.pkl", "emodetect.json"])
    def test_what_is_refused_stays_as_it_is(self, tmp_path: Path, extra: str) -> None:
        path = make_keras(tmp_path / "model.keras")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(extra, " " * (2**20 + 1))
        assert plain_archive(path.read_bytes()) == path.read_bytes()

    def test_what_is_damaged_stays_as_it_is(self) -> None:
        assert plain_archive(b"PK\x03\x04...") == b"PK\x03\x04..."
