"""Detection of files that are no model or have the wrong format, for clear error messages."""

from __future__ import annotations

import contextlib
from pathlib import Path

from emodetect.backends.keras_file import is_hdf5
from emodetect.errors import ModelError

_EXPECTED = "expected a model file ending in .onnx, .h5 or .keras"

_KERAS = {".h5", ".hdf5", ".keras"}

_SAVED_MODEL = "saved_model.pb"

_CONVERT = {
    **dict.fromkeys((".tflite", ".pb"), "python -m tf2onnx.convert converts it to ONNX"),
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".torchscript"), "torch.onnx.export writes a PyTorch model as ONNX"),
    **dict.fromkeys((".safetensors", ".bin"), "it holds weights without a network; export the whole model to ONNX"),
}
"""Hint for converting another format to ONNX, by suffix."""


def check_format(path: Path) -> None:
    """Reject a file that cannot be a model, by its file type, suffix and first bytes.

    Raises:
        ModelError: it is a folder, pipe or device, is empty, or has another format.
    """
    if path.is_dir():
        is_saved_model = (path / _SAVED_MODEL).is_file()
        convert = "; python -m tf2onnx.convert converts it to ONNX" if is_saved_model else ""
        raise ModelError(f"{path}: is a {'SavedModel of TensorFlow' if is_saved_model else 'folder'}; {_EXPECTED}{convert}")
    if not path.is_file():
        raise ModelError(f"{path}: is a pipe or a device; {_EXPECTED}")
    suffix = path.suffix.lower()
    if suffix not in {".onnx", *_KERAS}:
        convert = f"; {_CONVERT[suffix]}" if suffix in _CONVERT else ""
        raise ModelError(f"{path}: unknown kind of model file; {_EXPECTED}{convert}")
    with contextlib.suppress(OSError):  # reading it reports the error
        with path.open("rb") as file:
            beginning = file.read(64)
        if fault := _fault(beginning, suffix):
            raise ModelError(f"{path}: {fault}")


def _fault(beginning: bytes, suffix: str) -> str:
    """Explain what is wrong with a file that begins with these bytes; empty if nothing is."""
    if not beginning:
        return "is empty"
    if beginning.startswith(b"version https://git-lfs.github.com/"):
        return "is a pointer of Git LFS and not the model itself, which `git lfs pull` fetches"
    if beginning.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page; download the model file itself"
    if suffix == ".onnx" and is_hdf5(beginning):
        return "is in HDF5, as Keras writes it; name it .h5"
    if suffix == ".onnx" and beginning.startswith(b"PK\x03\x04"):
        return "is an archive; name it .keras if Keras has saved it"
    if suffix in _KERAS and _is_onnx(beginning):
        return "is in ONNX; name it .onnx"
    return ""


def _is_onnx(beginning: bytes) -> bool:
    """Whether a file begins like ONNX: with a version, then the producer's name, the graph or the operators."""
    return beginning[:1] == b"\x08" and len(beginning) > 2 and 3 <= beginning[1] < 64 and beginning[2] in (0x12, 0x3A, 0x42)
