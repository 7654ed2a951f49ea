"""A Keras model of the user's: ``.h5`` and ``.keras``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.faces_input import FaceInput
from emodetect.backends.labels import TUTORIAL_LABELS, LabelMap
from emodetect.backends.metadata import ModelMetadata, read_keras_metadata
from emodetect.errors import BackendUnavailableError, ModelError
from emodetect.quiet import quiet_native_output
from emodetect.types import EMOTIONS, Image


class KerasBackend(EmotionBackend):
    """Runs a Keras file, compiled once for batches of any size.

    Size and channels come from the model; labels and scaling from metadata that emodetect's training writes, and where there
    is none from the common tutorial's convention: gray, x/255, the seven labels in alphabetical order.

    Args:
        path: the file.
        labels: what the outputs mean, overriding the file.
    """

    def __init__(self, path: Path, *, labels: Sequence[str] | None = None) -> None:
        self.name = path.name
        self._path, self._names = path, labels

    @override
    def load(self) -> None:
        path, metadata = self._path, _metadata(self._path)
        with quiet_native_output():
            model = _load(path)
            self._input = _face_input(path, model, metadata)
            count = _output_count(path, model)
            names = self._names or (next(iter(metadata.labels.values())) if metadata else TUTORIAL_LABELS)
            if count != len(names):
                raise ModelError(
                    f"{path}: expected {len(names)} outputs, got {count}; --labels names the outputs where they are others"
                )
            self._labels = LabelMap(names)
            self._call = _compile(model, self._input)
        if metadata and metadata.uncertain_below is not None:
            self.uncertain_below = metadata.uncertain_below

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        return self._labels.apply(self._call(self._input.prepare(crops)))


def _metadata(path: Path) -> ModelMetadata | None:
    try:
        return read_keras_metadata(path)
    except OSError as error:
        raise ModelError(f"{path}: not a Keras model file (neither HDF5 nor a .keras archive)") from error


def _load(path: Path) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Keras 3 does not care, but DeepFace's models, if they are wanted in the same process, need the legacy Keras behind
    # `tf.keras`, and TensorFlow looks at this only once.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        import keras
    except ImportError as error:
        raise BackendUnavailableError(f"Keras cannot be imported ({error}); pip install 'tensorflow>=2.21'") from error
    try:
        # The safe mode refuses Lambda layers, which carry Python code that would run on loading.
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a bad file makes Keras raise almost anything
        text = str(error)
        if "Lambda" in text or "unsafe" in text.lower():
            reason = "it holds a Lambda layer, that is Python code, which is not run for safety; export it without"
        elif "No model config found" in text or "No model found in config" in text:
            reason = "it holds weights only; save the whole model with model.save(...)"
        else:
            reason = text.strip().splitlines()[0][:160] if text.strip() else type(error).__name__
        raise ModelError(f"{path}: Keras cannot load it: {reason}") from error


def _face_input(path: Path, model: Any, metadata: ModelMetadata | None) -> FaceInput:
    shape = getattr(model, "input_shape", None)
    # A list or dictionary of shapes is a model with several inputs.
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
        raise ModelError(f"{path}: expected one input (n, height, width, 1 or 3), got {shape}")
    scaling = (metadata.scale, metadata.offset) if metadata else (1 / 255, 0.0)
    return FaceInput(shape[1] or 48, shape[2] or 48, shape[3], False, *scaling)


def _output_count(path: Path, model: Any) -> int:
    shape = model.output_shape
    if isinstance(shape, list):
        shape = shape[0]  # several heads: the first one, which comes first in the metadata too
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise ModelError(f"{path}: expected an output (n, labels), got {shape}")
    return int(shape[1])


def _compile(model: Any, size: FaceInput) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """A function from a batch to the first output, traced once: `model.predict` costs a hundred times as much a call."""
    import keras

    def call(batch: Any) -> Any:
        outputs = model(batch, training=False)
        return outputs[0] if isinstance(outputs, list | tuple) else outputs

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        signature = tensorflow.TensorSpec((None, size.height, size.width, size.channels), tensorflow.float32)
        call = tensorflow.function(call, input_signature=[signature])

    def run(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(keras.ops.convert_to_numpy(call(batch)), np.float32)

    run(np.zeros((1, size.height, size.width, size.channels), np.float32))  # the first call traces: not on a face
    return run
