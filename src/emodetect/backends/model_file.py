"""Foreign model files, read once, so that the checked content is what is loaded."""

from __future__ import annotations

from pathlib import Path

from emodetect.backends.keras_file import is_hdf5
from emodetect.backends.limits import read_bytes
from emodetect.backends.metadata import plain_archive
from emodetect.backends.onnx_file import read_onnx_file


def read_model_file(path: Path) -> tuple[bytes, str]:
    """Read a model file as self-contained content; returns it with the suffix by which the loading library identifies its format.

    Raises:
        ModelError: the file cannot be read, is too large, or is rejected for safety.
    """
    if path.suffix.lower() == ".onnx":
        return read_onnx_file(path), ".onnx"
    content = read_bytes(path)
    return (content, ".h5") if is_hdf5(content) else (plain_archive(content), ".keras")
