"""The ``cnn`` backend: the embedded network, or a model file of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emodetect.backends.base import EmotionBackend
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.errors import ModelError, UsageError

HEADS = ("fer2013", "ferplus")
"""The outputs of the embedded network."""

RESERVED = ("embedded", *HEADS)
"""Names that ``--model`` takes for the embedded network as it is, or one output of it."""


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
        raise ModelError(f"{path}: no such model file (reserved names are {', '.join(RESERVED)})")
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from emodetect.backends.onnx_cnn import OnnxBackend

        return OnnxBackend(path, labels=labels)
    if suffix in {".h5", ".hdf5", ".keras"}:
        from emodetect.backends.keras_cnn import KerasBackend

        return KerasBackend(path, labels=labels)
    raise ModelError(f"{path}: unknown kind of model file; expected one ending in .onnx, .h5 or .keras")
