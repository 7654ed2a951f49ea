"""The ``cnn`` backend: the embedded network, or a model file."""

from __future__ import annotations

from pathlib import Path

from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import UNSTATED, ModelConventions, quoted
from emodetect.backends.model_format import check_format
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.backends.registry import HEADS, RESERVED
from emodetect.errors import ModelError, UsageError
from emodetect.text.suggestions import did_you_mean, did_you_mean_file


def model_path(model: str) -> Path:
    """Path of a model file that exists.

    Raises:
        ModelError: it does not.
    """
    path = Path(model)
    if not path.exists():
        meant = did_you_mean(model, RESERVED) or did_you_mean_file(path)
        raise ModelError(f"{path}: no such model file (reserved names are {', '.join(RESERVED)}){meant}")
    return path


def create_cnn(model: str | None, conventions: ModelConventions = UNSTATED) -> EmotionBackend:
    """Create the backend of the embedded network (no model, "embedded", or a head's name) or of an .onnx, .h5 or .keras file.

    Raises:
        UsageError: conventions are given for the embedded network, which has its own.
        ModelError: the file does not exist, or has another format.
    """
    if model is None or model in RESERVED:
        from emodetect.backends.onnx_cnn import OnnxBackend

        if given := conventions.given:
            hint = f"{quoted(given, ', ')} {'requires' if len(given) == 1 else 'require'} `model` FILE"
            raise UsageError("the embedded network knows its own conventions", hint=hint)
        head = ModelConventions(output_name=model) if model in HEADS else UNSTATED
        return OnnxBackend(EMBEDDED, conventions=head, name=model or "embedded")
    path = model_path(model)
    check_format(path)
    if path.suffix.lower() == ".onnx":
        from emodetect.backends.onnx_cnn import OnnxBackend

        return OnnxBackend(path, conventions=conventions)
    from emodetect.backends.keras_cnn import KerasBackend

    return KerasBackend(path, conventions=conventions)
