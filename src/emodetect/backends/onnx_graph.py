"""Analysis of an ONNX graph next to its input and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emodetect.backends.own_scaling import (
    IDENTITY,
    Affine,
    FloatArray,
    OwnScaling,
    as_constant,
    gray_weights,
    infer_scaling,
    quantized_input,
)
from emodetect.errors import BackendUnavailableError, first_line
from emodetect.system.install_hints import package_cure

_KEEP_RANGE = {
    "Identity", "Cast", "Dropout", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "Pad", "Concat",
    "Resize", "Upsample", "Slice", "Gather", "Split", "Clip", "AveragePool", "GlobalAveragePool", "MaxPool", "GlobalMaxPool",
    "ReduceMean", "DequantizeLinear", "QuantizeLinear", "Round", "Floor", "Ceil", "Abs", "Relu",
}  # fmt: skip
"""Operators that keep the range of the pixels and have no trained weights."""

_BOUNDS = {"Max", "Min"}
"""Operators that keep the range if the other operands are constant."""

_NONLINEAR = {
    "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "HardSigmoid", "Log", "Mod", "Not", "Pow",
    "Reciprocal", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
}  # fmt: skip
"""Non-linear operators."""

_SHAPES_ONLY = {"Identity", "Cast", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
"""Operators that change no value."""

_KEEP_KIND = {
    *_SHAPES_ONLY, "QuantizeLinear", "DequantizeLinear", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool",
    "ReduceMean",
}  # fmt: skip
"""Operators after the last activation that do not change the kind of the values."""

_LINEAR = {"Gemm", "MatMul", "Conv", "Add", "BatchNormalization", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu"}
"""Operators whose results are logits."""

_MAX_DEPTH = 50
"""Maximum number of operators followed from the input or the output."""


class OnnxGraph:
    """Read access to an ONNX graph.

    Args:
        path: the file; external tensors are not read.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnx
        except ImportError as error:
            reason = f"{path}: the package onnx, which reads .onnx files, cannot be imported ({first_line(error)})"
            raise BackendUnavailableError(reason, hint=package_cure("onnx")) from error

        self.model: Any = onnx.load(path, load_external_data=False)
        graph = self.model.graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        self._users: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self._users.setdefault(name, []).append(node)
        self._outputs = {output.name for output in graph.output}

    @property
    def parameters(self) -> int:
        """Number of weights in the graph."""
        return sum(int(np.prod(tensor.dims, dtype=np.int64)) for tensor in self._tensors.values())

    def own_scaling(self, name: str) -> OwnScaling | None:
        """Scaling of this input inside the graph, before the first operator with trained weights; None if there is none."""
        own = infer_scaling(list(self._follow(name, IDENTITY, 0)))
        quantizer = self._users.get(name, [None])[0]
        if (own is not None and own.expected is not None) or quantizer is None or quantizer.op_type != "QuantizeLinear":
            return own
        step = self.quantized(quantizer.output[0])
        if step is None:
            return OwnScaling("QuantizeLinear", None)
        return quantized_input(*(float(step[0][0] * (byte - step[1][0])) for byte in (step[2], step[2] + 255)))

    def map_keys(self) -> list[str]:
        """Class names of scikit-learn's final ``ZipMap`` operator, in order."""
        names = [a.strings for node in self._makers.values() if node.op_type == "ZipMap" for a in node.attribute if a.strings]
        return sorted(name.decode(errors="replace") for name in names[-1]) if names else []

    def quantized(self, name: str) -> tuple[FloatArray, FloatArray, int] | None:
        """Scale, zero point and lowest number of an 8-bit value; None if it is not quantized, or per axis."""
        node = self._makers.get(name)
        if node is None or node.op_type != "QuantizeLinear":
            return None
        scale, zero = (self._constant(part) for part in (*node.input, "")[1:3])
        zero = np.zeros(1, np.uint8) if zero is None and len(node.input) < 3 else zero
        if np.size(scale) != 1 or np.size(zero) != 1 or np.asarray(zero).dtype not in (np.uint8, np.int8):
            return None
        kind = np.iinfo(np.asarray(zero).dtype)
        return np.asarray(scale, np.float64).reshape(1), np.asarray(zero, np.float64).reshape(1), int(kind.min)

    def with_channels(self, name: str, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Complete the shape of an input with the number of channels from its first convolution; unchanged without one."""
        is_last, names = False, [name]
        for _ in range(_MAX_DEPTH):
            node = next((node for part in names for node in self._users.get(part, ())), None)
            if node is None:
                break
            if node.op_type == "Conv":
                weights = self._tensors.get(node.input[1])
                channels = weights.dims[1] if weights is not None else None
                return (*shape[:3], channels) if is_last else (shape[0], channels, *shape[2:])
            is_last |= node.op_type == "Transpose"
            names = list(node.output)
        return shape

    def activation(self, output: str) -> str | None:
        """Last activation before an output: "softmax", "sigmoid", "linear"; None if it cannot be determined."""
        for _ in range(_MAX_DEPTH):
            node = self._makers.get(output)
            if node is None:
                return None
            kind = node.op_type
            if kind in ("Softmax", "Sigmoid", "HardSigmoid"):
                return "softmax" if kind == "Softmax" else "sigmoid"
            if kind in _LINEAR:
                return "linear"
            if kind not in _KEEP_KIND and not self._scales_up(node):
                return None
            output = self._changing(node)[0] if self._changing(node) else ""
        return None

    def _scales_up(self, node: Any) -> bool:
        """Whether a node only multiplies by a positive number, for example to convert shares to percents."""
        names = self._changing(node)
        step = self._step(node, names[0]) if len(names) == 1 else None
        return step is not None and bool(np.all(step[1] == 0) and step[0].size == 1 and np.all(step[0] > 0))

    def _changing(self, node: Any) -> list[str]:
        """Non-constant inputs of a node."""
        return [name for name in node.input if name and self._constant(name) is None and name not in self._tensors]

    def _follow(self, name: str, so_far: Affine, depth: int) -> Iterator[Affine]:
        users = self._users.get(name, [])
        if depth > _MAX_DEPTH or not users:
            yield so_far
        for node in users if depth <= _MAX_DEPTH else ():
            step = self._step(node, name)
            layer = f"{node.op_type}{f' ({node.name})' if node.name else ''}"
            if step is not None:
                changed = so_far.with_layer(*step, layer)
            elif self._keeps_range(node, name):
                changed = so_far
            elif node.op_type == "ReduceSum" and so_far.scale.size == 3:
                changed = so_far.with_sum()
            elif node.op_type == "Shape":  # depends on sizes, not pixels
                continue
            else:
                yield so_far.with_nonlinear(layer) if self._is_nonlinear(node, name) else so_far
                continue
            for output in node.output:
                if output in self._users or output in self._outputs:
                    yield from self._follow(output, changed, depth + 1)

    def _is_nonlinear(self, node: Any, name: str) -> bool:
        """Whether a node is non-affine and has no trained weights, so that no scaling can be read from it."""
        divides_by = node.op_type == "Div" and node.input[1] == name and self._constant(node.input[0]) is not None
        return divides_by or node.op_type in _NONLINEAR

    def _keeps_range(self, node: Any, name: str) -> bool:
        kind = node.op_type
        if kind in _BOUNDS:
            return self._changing(node) == [name]
        return kind == "Concat" or (kind in _KEEP_RANGE and node.input[0] == name)

    def _step(self, node: Any, name: str) -> tuple[FloatArray, FloatArray] | None:
        """Scale and offset of an affine node with constants; None for any other."""
        one, zero = np.ones(1), np.zeros(1)
        kind, inputs = node.op_type, list(node.input)
        if kind == "BatchNormalization" and inputs[0] == name:
            mean, variance = self._numbers(inputs[3]), self._numbers(inputs[4])
            if mean is None or variance is None:
                return None
            scale = 1 / np.sqrt(np.maximum(variance + 1e-5, 1e-12))
            return scale, -mean * scale
        if kind == "Neg":
            return -one, zero
        if kind in ("MatMul", "Gemm", "Conv") and inputs[0] == name:
            weights = self._constant(inputs[1])
            factor = None if weights is None else gray_weights(weights)
            return None if factor is None else (factor, zero)
        if kind not in ("Mul", "Div", "Add", "Sub") or inputs.count(name) != 1:
            return None
        place = inputs.index(name)
        number = self._numbers(inputs[1 - place])
        if number is None:
            return None
        if kind == "Mul":
            return number, zero
        if kind == "Add":
            return one, number
        if kind == "Sub":
            return (one, -number) if place == 0 else (-one, number)
        return (1 / number, zero) if place == 0 and np.all(number != 0) else None

    def _numbers(self, name: str) -> FloatArray | None:
        """Constant of this name, as `as_constant`."""
        value = self._constant(name)
        if value is None:
            return None
        return as_constant(value)

    def _constant(self, name: str, depth: int = 0) -> Any:
        """Evaluate a name that does not depend on the input; None if it does, or is too large to matter."""
        from onnx import external_data_helper, numpy_helper

        if name in self._tensors:
            tensor = self._tensors[name]
            if external_data_helper.uses_external_data(tensor) or np.prod(tensor.dims, dtype=np.float64) > 1e7:
                return None
            return numpy_helper.to_array(tensor)
        node = self._makers.get(name)
        if node is None or depth > _MAX_DEPTH:
            return None
        if node.op_type == "Constant":
            attribute = node.attribute[0]
            if attribute.name == "value":
                return numpy_helper.to_array(attribute.t)
            import onnx

            value = onnx.helper.get_attribute_value(attribute)
            return None if attribute.name == "sparse_value" else value
        if node.op_type in (*_SHAPES_ONLY, "Expand"):
            return self._constant(node.input[0], depth + 1)
        values = [self._constant(part, depth + 1) for part in node.input]
        compute = _FOLDED.get(node.op_type)
        if compute is None or any(value is None for value in values):
            return None
        with np.errstate(all="ignore"):
            return compute(*(np.asarray(value, np.float64) for value in values))


_FOLDED: dict[str, Any] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Neg": np.negative,
    "Pow": np.power,
    "DequantizeLinear": lambda value, scale, zero=0.0: (value - zero) * scale,
}
"""Operators for constant folding, since exporters leave such arithmetic in the graph."""
