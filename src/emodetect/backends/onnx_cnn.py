"""ONNX networks, run by ONNX Runtime: the embedded one and model files."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.embedded_network import embedded_network
from emodetect.backends.file_backend import ModelFileBackend
from emodetect.backends.metadata import class_names
from emodetect.backends.network import Network, Shape
from emodetect.backends.onnx_graph import OnnxGraph
from emodetect.backends.onnx_session import EMBEDDED, EMBEDDED_MIN_CONTRAST, model_metadata, open_session
from emodetect.backends.own_scaling import OwnScaling
from emodetect.errors import ModelError

_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
"""NumPy names of the supported input types."""


class OnnxNetwork(Network):
    """A network in an ONNX file.

    Raises:
        ModelError: ONNX Runtime cannot load the file, it is rejected for safety, or it has more than one input.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.min_contrast = path, EMBEDDED_MIN_CONTRAST if path == EMBEDDED else 0.0
        self._session = open_session(path)
        self.metadata = model_metadata(self._session, path)
        entries = dict(self._session.get_modelmeta().custom_metadata_map)
        if any(output.type.startswith("seq(map(string") for output in self._session.get_outputs()):
            entries.setdefault("classes", json.dumps(self._graph.map_keys()))
        self.class_names = class_names(entries)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs) or "none"
            kinds = ", ".join(_TYPES.values())
            raise ModelError(f"{path}: expected one input of numbers ({kinds}), got {found}")
        self.input_name, self.input_type = inputs[0].name, _TYPES[inputs[0].type]
        self.input_shape = _as_shape(inputs[0].shape)
        if len(self.input_shape) == 4 and not {1, 3} & {self.input_shape[1], self.input_shape[3]}:
            self.input_shape = self._graph.with_channels(self.input_name, self.input_shape)
        self.outputs = {output.name: _as_shape(output.shape) or None for output in self._session.get_outputs()}
        whole = [output.name for output in self._session.get_outputs() if "int" in output.type]
        self._quantized = {name: step for name in whole if (step := self._graph.quantized(name))}

    @override
    def describe_format(self) -> str:
        if self.path == EMBEDDED:  # known in advance, which saves start-up time
            return "ONNX"
        versions = {entry.domain: entry.version for entry in self._graph.model.opset_import}
        producer = self._graph.model.producer_name
        return f"ONNX, opset {versions.get('', versions.get('ai.onnx', '?'))}{f', by {producer}' if producer else ''}"

    @override
    def run(self, batch: npt.NDArray[Any], outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        if self.path == EMBEDDED:
            return [*embedded_network().run(batch, outputs)]
        found = zip(outputs, map(_as_array, self._session.run(list(outputs), {self.input_name: batch})), strict=True)
        steps = ((values, self._quantized.get(name)) for name, values in found)
        return [values if step is None else (values - step[1]) * step[0] for values, step in steps]

    @override
    def own_scaling(self) -> OwnScaling | None:
        return self._graph.own_scaling(self.input_name)

    @override
    def activation(self, output: str) -> str | None:
        return self._graph.activation(output)

    @override
    def count_parameters(self) -> int | None:
        return None if self.path == EMBEDDED else self._graph.parameters

    @functools.cached_property
    def _graph(self) -> OnnxGraph:
        return OnnxGraph(self.path)


def _as_array(values: Any) -> npt.NDArray[Any]:
    """Convert an output to an array. scikit-learn's models give a dictionary per face, whose values are sorted by key."""
    is_maps = isinstance(values, list) and values and isinstance(values[0], dict)
    return np.asarray([[row[key] for key in sorted(row)] for row in values] if is_maps else values)


def _as_shape(sizes: Sequence[int | str | None]) -> Shape:
    """Convert a shape of ONNX Runtime, in which unknown sizes may have names."""
    return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)


class OnnxBackend(ModelFileBackend):
    """Backend for ONNX files; see `ModelFileBackend` for its arguments."""

    @override
    def _open(self) -> Network:
        return OnnxNetwork(self._path)
