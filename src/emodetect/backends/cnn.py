"""The ``cnn`` backend: the embedded network, or a model file of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emodetect.backends.base import EmotionBackend
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.backends.registry import HEADS, RESERVED
from emodetect.errors import ModelError, UsageError
from emodetect.suggestions import did_you_mean, did_you_mean_file


def create_cnn(model: str | None, labels: Sequence[str] | None) -> EmotionBackend:
    """Choose the embedded network (no model, "embedded", or the name of a head) or a file ending in .onnx, .h5 or .keras.

    Raises:
        UsageError: labels are given for the embedded network, which has its own.
        ModelError: there is no such file, or it is of another kind.
    """
    if model is None or model in RESERVED:
        from emodetect.backends.onnx_cnn import OnnxBackend

        if labels:
            raise UsageError("--labels goes with --model FILE; the embedded network knows its own labels")
        return OnnxBackend(EMBEDDED, head=model if model in HEADS else None, name=model or "embedded")
    path = Path(model)
    if path.is_dir():
        raise ModelError(f"{path}: is a folder; expected a model file ending in .onnx, .h5 or .keras")
    if not path.is_file():
        meant = did_you_mean(model, RESERVED) or did_you_mean_file(path)
        raise ModelError(f"{path}: no such model file (reserved names are {', '.join(RESERVED)}){meant}")
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from emodetect.backends.onnx_cnn import OnnxBackend

        return OnnxBackend(path, labels=labels)
    if suffix in {".h5", ".hdf5", ".keras"}:
        from emodetect.backends.keras_cnn import KerasBackend

        return KerasBackend(path, labels=labels)
    raise ModelError(f"{path}: unknown kind of model file; expected one ending in .onnx, .h5 or .keras")
