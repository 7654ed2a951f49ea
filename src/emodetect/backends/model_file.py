"""A foreign model file, read once: what is looked at is what is loaded."""

from __future__ import annotations

from pathlib import Path

from emodetect.backends.keras_file import is_hdf5
from emodetect.backends.limits import read_bytes
from emodetect.backends.metadata import plain_archive
from emodetect.backends.onnx_file import read_onnx_file
from emodetect.errors import ModelError

_START = 4096
"""Bytes of a file that say of which kind it is."""


def read_model_file(path: Path) -> tuple[bytes, str]:
    """The content of a model file, whole in itself, and the ending by which the library that loads it knows its format.

    Raises:
        ModelError: it cannot be read, is too large, or is refused for safety.
    """
    _check_kind(path)
    if path.suffix.lower() == ".onnx":
        return read_onnx_file(path), ".onnx"
    content = read_bytes(path)
    return (content, ".h5") if is_hdf5(content) else (plain_archive(content), ".keras")


def _check_kind(path: Path) -> None:
    """Name what a file is by its first bytes, where that is something else than its name says.

    Raises:
        ModelError: it cannot be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    is_onnx = path.suffix.lower() == ".onnx"
    what = None
    if not start:
        what = "the file is empty"
    elif start.startswith(b"version https://git-lfs.github.com/"):
        what = "is a pointer of Git LFS, not the model itself; get that with `git lfs pull`"
    elif start[4:8] == b"TFL3":
        what = "is a TensorFlow Lite file; convert it to ONNX with tf2onnx, and name it .onnx"
    elif start.startswith(b"PK") and b"data.pkl" in start:
        what = "is a PyTorch file; export the network with torch.onnx.export, and name it .onnx"
    elif is_onnx and start.startswith(b"PK"):
        what = "is an archive, as Keras writes it; name it .keras"
    elif is_onnx and is_hdf5(start):
        what = "is in HDF5, as Keras writes it; name it .h5"
    elif (
        not is_onnx and not is_hdf5(start) and start[:1] == b"\x08" and start[2:3] in b"\x12\x3a\x42"
    ):  # the version, then the maker or the graph
        what = "seems to be in ONNX; name it .onnx"
    if what:
        raise ModelError(f"{path}: {what}")
