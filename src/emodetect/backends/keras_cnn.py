"""Keras models: ``.h5`` and ``.keras`` files, saved by Keras 3 or 2."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends import keras_graph
from emodetect.backends.activations import check_activations
from emodetect.backends.file_backend import ModelFileBackend
from emodetect.backends.keras_file import check_keras_file, keras_version
from emodetect.backends.keras_import import import_keras, import_keras2
from emodetect.backends.metadata import ModelMetadata, read_keras_metadata
from emodetect.backends.network import Network, Shape
from emodetect.backends.own_scaling import OwnScaling
from emodetect.errors import BackendUnavailableError, ModelError
from emodetect.system.native_output import quiet_native_output

_UNKNOWN = re.compile(
    r"""(?:Unknown\ layer:\ '|Could\ not\ locate\ (?:class|function)\ '|Cannot\ deserialize\ object\ of\ type\ `
    |Unknown\ activation\ function:?\ '(?:\{.*'config':\ ')?)([^'`]{1,80})['`]""",
    re.VERBOSE,
)
"""Messages of Keras 2 and 3 about unknown classes and functions."""

_MAX_REASON_LENGTH = 300
"""Maximum length of a message of Keras, characters."""


class KerasNetwork(Network):
    """A Keras model, compiled once for any batch size.

    Raises:
        ModelError: the file cannot be loaded, is rejected for safety, or has more than one input.
        BackendUnavailableError: Keras cannot be imported.
    """

    def __init__(self, path: Path) -> None:
        check_keras_file(path)
        self.path = path
        self.metadata = read_metadata(path)
        with quiet_native_output():
            self.model = load_keras_model(path)
        shape = getattr(self.model, "input_shape", None)
        if isinstance(shape, list) and len(shape) == 1:
            shape = shape[0]
        if not isinstance(shape, tuple) or not all(size is None or isinstance(size, int) for size in shape):
            # A list or dictionary of shapes means several inputs.
            raise ModelError(f"{path}: expected one input (n, height, width, 1 or 3), got {shape or 'a model without a graph'}")
        tensor = self.model.inputs[0]
        self.input_name, self.input_shape = str(tensor.name), shape
        kind = str(getattr(tensor.dtype, "name", tensor.dtype))
        self.input_type = kind if kind in ("uint8", "int32", "int64", "float16", "float64") else "float32"
        self.outputs = dict(zip(_output_names(self.model), output_shapes(self.model), strict=True))
        self._calls: dict[tuple[int, ...], Callable[[Any], Any]] = {}

    @override
    def run(self, batch: npt.NDArray[Any], outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        names = list(self.outputs)
        chosen = tuple(names.index(name) for name in outputs)
        if chosen not in self._calls:
            self._calls[chosen] = _compile(self.path, self.model, self.input_shape, self.input_type, chosen)
        return [_as_array(output) for output in self._calls[chosen](batch)]

    @override
    def own_scaling(self) -> OwnScaling | None:
        return keras_graph.own_scaling(self.model)

    @override
    def activation(self, output: str) -> str | None:
        return keras_graph.activation(self.model, list(self.outputs).index(output))

    @override
    def describe_format(self) -> str:
        version = keras_version(self.path)
        kind = "Keras archive" if self.path.suffix.lower() == ".keras" else "Keras in HDF5"
        reader = "Keras 2 (tf_keras)" if is_keras2(self.model) else "Keras 3"
        return f"{kind}{f', saved by Keras {version}' if version else ''}, loaded by {reader}"

    @override
    def count_parameters(self) -> int | None:
        return int(self.model.count_params())


class KerasBackend(ModelFileBackend):
    """Backend for Keras files; see `ModelFileBackend` for its arguments."""

    @override
    def _open(self) -> Network:
        return KerasNetwork(self._path)

    @property
    def keras_model(self) -> Any:
        """The Keras model; requires a loaded backend."""
        assert isinstance(self.network, KerasNetwork)
        return self.network.model


def read_metadata(path: Path) -> ModelMetadata | None:
    """Read the metadata of a Keras file.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        return read_keras_metadata(path)
    except OSError as error:
        raise ModelError(f"{path}: not a Keras model file (neither HDF5 nor a .keras archive)") from error


def is_keras2(model: Any) -> bool:
    """Whether a model belongs to Keras 2."""
    return any(kind.__module__.partition(".")[0] == "tf_keras" for kind in type(model).__mro__)


def load_keras_model(path: Path) -> Any:
    """Load a Keras model for inference, with the version of Keras that saved it if the file states it.

    Raises:
        ModelError: the file cannot be read, contains code, or contains weights only.
        BackendUnavailableError: Keras cannot be imported.
    """
    check_keras_file(path)
    version = keras_version(path)
    loaders = [_load_keras3, _load_keras2]
    if version is not None:
        loaders = loaders[1:] if int(version.partition(".")[0]) < 3 else loaders[:1]
    failure: Exception | None = None
    for load in loaders:
        try:
            return load(path)
        except BackendUnavailableError as error:
            if failure is None:
                raise
            raise ModelError(f"{path}: Keras 3 cannot load it ({_reason(failure)}), and {error}") from failure
        except Exception as error:  # a bad file makes Keras raise almost anything
            failure = failure or error
    assert failure is not None
    raise ModelError(f"{path}: Keras cannot load it: {_reason(failure)}") from failure


def _load_keras3(path: Path) -> Any:
    keras = import_keras()
    import emodetect.backends.keras_layers  # noqa: F401  (registers its layers)

    # Safe mode refuses Lambda layers, whose Python code would run on loading.
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _load_keras2(path: Path) -> Any:
    keras = import_keras2()
    from tf_keras.src.engine.functional import Functional
    from tf_keras.src.layers.core.tf_op_layer import SlicingOpLambda, TFOpLambda
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    # Keras before 2.13 writes module names that no longer exist.
    classes = {kind.__name__: kind for kind in (Functional, SlicingOpLambda, TFOpLambda, keras.Sequential)}
    # For HDF5, Keras 2 supports safe mode only through this scope.
    with SafeModeScope(True):
        return keras.models.load_model(str(path), custom_objects=classes, compile=False, safe_mode=True)


def _reason(error: Exception) -> str:
    """The reason in a message of Keras, without the configuration before it."""
    text = str(error)
    if "No model config found" in text or "No model found in config" in text:
        return "it holds weights only; save the whole model with model.save(...)"
    if "unsafe" in text.lower() or "deserialization of a Lambda" in text or "deserialization of a `lambda`" in text:
        return "it holds a Lambda layer, that is Python code, which is not run for safety; export it without"
    if unknown := _UNKNOWN.search(text):
        name = "a function" if unknown[1] == "function" else unknown[1]  # HDF5 files of Keras 2 do not state its name
        return f"it needs {name}, which is none of Keras's own layers; Python code of others is not run"
    _, _, exception = text.rpartition("Exception encountered:")
    return textwrap.shorten(
        exception or text.strip().partition("\n")[0] or type(error).__name__, _MAX_REASON_LENGTH, placeholder=" ..."
    )


def output_shapes(model: Any) -> list[Shape | None]:
    """Shapes of a model's outputs, in order; a list for a single output as well."""
    shapes = model.output_shape
    return [tuple(shape) for shape in in_order(shapes)] if isinstance(shapes, dict | list) else [tuple(shapes)]


def in_order(outputs: Any) -> list[Any]:
    """Convert a model's outputs to a list; the values of a dictionary are sorted by key.

    Keras itself uses this order.
    """
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _output_names(model: Any) -> list[str]:
    """Unique names of the outputs."""
    structure = getattr(model, "_outputs_struct", getattr(model, "_nested_outputs", None))  # Keras 3, Keras 2
    names = sorted(structure) if isinstance(structure, dict) else list(getattr(model, "output_names", None) or ())
    count = len(output_shapes(model))
    if len(names) != count or len(set(names)) != count:
        return [f"output_{place}" for place in range(count)]
    return [str(name) for name in names]


def _compile(path: Path, model: Any, shape: Shape, kind: str, chosen: Sequence[int]) -> Callable[[Any], Any]:
    """Trace a function from a batch to the chosen outputs. A call of `model.predict` takes a hundred times as long.

    Raises:
        ModelError: an activation exceeds the memory limit.
    """

    def call(batch: Any) -> Any:
        outputs = in_order(model(batch, training=False))
        return [outputs[position] for position in chosen]

    if is_keras2(model) or _runs_on_tensorflow():
        import tensorflow

        signature = tensorflow.TensorSpec(shape, getattr(tensorflow, kind))
        function = tensorflow.function(call, input_signature=[signature])
        check_activations(path, function.get_concrete_function().graph)
        return function  # type: ignore[no-any-return]
    return call


def _runs_on_tensorflow() -> bool:
    import keras

    return bool(keras.backend.backend() == "tensorflow")


def _as_array(output: Any) -> npt.NDArray[Any]:
    if hasattr(output, "numpy"):
        return np.asarray(output.numpy())
    import keras

    return np.asarray(keras.ops.convert_to_numpy(output))
