"""A Keras model of the user's: ``.h5`` and ``.keras``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.activations import check_activations
from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import ASSUMED_SCALING, UNSTATED, ModelConventions
from emodetect.backends.faces_input import FaceInput
from emodetect.backends.keras_file import check_keras_file
from emodetect.backends.keras_import import import_keras
from emodetect.backends.labels import EIGHT_LABELS, TUTORIAL_LABELS, LabelMap, mean_scores, mean_scores_eight
from emodetect.backends.limits import check_sides
from emodetect.backends.metadata import ModelMetadata, read_keras_metadata
from emodetect.errors import ModelError, first_line
from emodetect.quiet import quiet_native_output
from emodetect.types import EMOTIONS, Image


class KerasBackend(EmotionBackend):
    """Runs a Keras file, compiled once for batches of any size.

    Size and channels come from the model; labels and scaling from metadata that emodetect's training writes, and where there
    is none from the common tutorial's convention: gray, x/255, the seven labels in alphabetical order.

    Args:
        path: the file.
        conventions: what the user says of it, overriding the file.
    """

    def __init__(self, path: Path, *, conventions: ModelConventions = UNSTATED) -> None:
        self.name = path.name
        self._path, self._conventions = path, conventions

    @override
    def load(self) -> None:
        path = self._path
        check_keras_file(path)
        metadata = _metadata(path)
        with quiet_native_output():
            model = load_keras_model(path)
            self._input = face_input(path, model, metadata, self._conventions)
            chosen = _choose_outputs(metadata)
            self._maps = [_label_map(path, model, position, self._conventions.labels, metadata) for position in chosen]
            self._call = _compile(path, model, self._input, chosen)
        self.tells_contempt = any(labels.has_contempt for labels in self._maps)
        if metadata:
            self.validation_accuracy = metadata.validation_accuracy(metadata.default)
        if metadata and metadata.uncertain_below is not None:
            self.uncertain_below = metadata.uncertain_below

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        return mean_scores(self._maps, self._call(self._input.prepare(crops)))

    @override
    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EIGHT_LABELS)), np.float32)
        return mean_scores_eight(self._maps, self._call(self._input.prepare(crops)))


def _metadata(path: Path) -> ModelMetadata | None:
    try:
        return read_keras_metadata(path)
    except OSError as error:
        raise ModelError(f"{path}: not a Keras model file (neither HDF5 nor a .keras archive)") from error


def load_keras_model(path: Path) -> Any:
    """Load a whole Keras model, for use and not for more training.

    Raises:
        ModelError: the file cannot be read, carries code, or holds weights only.
        BackendUnavailableError: Keras cannot be imported.
    """
    check_keras_file(path)
    keras = import_keras()
    try:
        import emodetect.backends.keras_layers  # noqa: F401  (makes its layers known to Keras)

        # The safe mode refuses Lambda layers, which carry Python code that would run on loading.
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a bad file makes Keras raise almost anything
        text = str(error)
        if "Lambda" in text or "unsafe" in text.lower():
            reason = "it holds a Lambda layer, that is Python code, which is not run for safety; export it without"
        elif "No model config found" in text or "No model found in config" in text:
            reason = "it holds weights only; save the whole model with model.save(...)"
        else:
            reason = first_line(error)
        raise ModelError(f"{path}: Keras cannot load it: {reason}") from error


def face_input(path: Path, model: Any, metadata: ModelMetadata | None, conventions: ModelConventions = UNSTATED) -> FaceInput:
    """What a Keras model takes: its size from the model, its scaling from the metadata, else x/255.

    Raises:
        ModelError: it has several inputs, or one that is no picture.
    """
    shape = getattr(model, "input_shape", None)
    # A list or dictionary of shapes is a model with several inputs.
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
        raise ModelError(f"{path}: expected one input (n, height, width, 1 or 3), got {shape}")
    scaling = conventions.scaling or (metadata.scaling if metadata else ASSUMED_SCALING)
    check_sides(path, shape[1] or 48, shape[2] or 48)
    return FaceInput(shape[1] or 48, shape[2] or 48, shape[3], False, scaling, conventions.channels)


def output_shapes(model: Any) -> list[tuple[int | None, ...]]:
    """The shapes of a model's outputs, in order, also where there is only one."""
    return list(model.output_shape) if isinstance(model.output_shape, list) else [model.output_shape]


def _choose_outputs(metadata: ModelMetadata | None) -> list[int]:
    """Positions of the outputs to use: the metadata name them in the model's order."""
    names = list(metadata.labels) if metadata else []
    if metadata and metadata.default == "mean":
        return list(range(len(names)))
    return [names.index(metadata.default)] if metadata and metadata.default in names else [0]


def _label_map(path: Path, model: Any, position: int, labels: Sequence[str] | None, metadata: ModelMetadata | None) -> LabelMap:
    shapes = output_shapes(model)
    shape = shapes[position] if position < len(shapes) else None
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise ModelError(f"{path}: expected an output (n, labels), got {shape}")
    names = labels or (list(metadata.labels.values())[position] if metadata else TUTORIAL_LABELS)
    if shape[1] != len(names):
        raise ModelError(
            f"{path}: expected {len(names)} outputs, got {shape[1]}; --labels names the outputs where they are others"
        )
    return LabelMap(names)


def _compile(
    path: Path, model: Any, size: FaceInput, chosen: Sequence[int]
) -> Callable[[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]:
    """A function from a batch to the chosen outputs, traced once: `model.predict` costs a hundred times as much a call.

    Raises:
        ModelError: the model fails at its first call, or its layers would take too much memory.
    """
    import keras

    def call(batch: Any) -> Any:
        outputs = model(batch, training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        return [outputs[position] for position in chosen]

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        signature = tensorflow.TensorSpec((None, size.height, size.width, size.channels), tensorflow.float32)
        function = tensorflow.function(call, input_signature=[signature])
        with _first_call(path):
            check_activations(path, function.get_concrete_function().graph)
        call = function

    def run(batch: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return [np.asarray(keras.ops.convert_to_numpy(output), np.float32) for output in call(batch)]

    with _first_call(path):
        run(np.zeros((1, size.height, size.width, size.channels), np.float32))  # not on a face: it takes longer than others
    return run


@contextlib.contextmanager
def _first_call(path: Path) -> Iterator[None]:
    """Turn whatever a model raises when it is used for the first time into a `ModelError`."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # Keras and its backends have no common base class
        raise ModelError(f"{path}: loads, but fails at its first call ({first_line(error)})") from error
