from __future__ import annotations

import os
from pathlib import Path

import pytest

from emodetect.backends.cnn import create_cnn
from emodetect.errors import ModelError
from tests.onnx_files import save_means

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1325\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", b"", "is empty"),
        ("m.keras", b"", "is empty"),
        ("m.onnx", LFS, "git lfs pull"),
        ("m.h5", LFS, "git lfs pull"),
        ("m.h5", b"\n<!DOCTYPE html><html>", "is a web page"),
        ("m.onnx", HDF5, r"is in HDF5, as Keras writes it; name it \.h5"),
        ("m.onnx", b"PK\x03\x04" + bytes(50), r"name it \.keras"),
        ("m.tflite", b"\x1c\x00\x00\x00TFL3", r"tf2onnx\.convert"),
        ("m.pt", b"PK\x03\x04", "torch.onnx.export"),
        ("m.txt", b"text", r"ending in \.onnx, \.h5 or \.keras$"),
    ],
)
def test_what_is_no_model_here_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        create_cnn(str(tmp_path / name))


def test_onnx_under_the_name_of_keras(tmp_path: Path) -> None:
    save_means(tmp_path / "m.onnx").rename(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"is in ONNX; name it \.onnx"):
        create_cnn(str(tmp_path / "m.h5"))


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "link.onnx").symlink_to("/dev/zero")
    for name, message in (
        ("saved", r"SavedModel of TensorFlow.*tf2onnx\.convert"),
        ("pipe.onnx", "is a pipe"),
        ("link.onnx", "a device"),
        (".", "is a folder"),
    ):
        with pytest.raises(ModelError, match=message):
            create_cnn(str(tmp_path / name))
