"""Analysis of a Keras model's graph (Keras 3 or 2) next to its input and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from emodetect.backends.own_scaling import IDENTITY, Affine, OwnScaling, as_constant, gray_weights, infer_scaling

_KEEP_RANGE = {
    "ActivityRegularization", "AlphaDropout", "AugMix", "AveragePooling2D", "BroadcastTo", "Cast", "CenterCrop",
    "Concatenate", "Cropping2D", "Dropout", "ExpandDims", "Flatten", "Flip", "GaussianDropout", "GaussianNoise",
    "GetItem", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Identity", "InputLayer", "MaxPooling2D", "Permute",
    "RGB", "RandAugment", "Repeat", "RepeatVector", "Reshape", "Resize", "Resizing", "SpatialDropout2D", "Squeeze", "Stack",
    "Tile", "Transpose", "UpSampling2D", "ZeroPadding2D", "Absolute", "AutoContrast", "Clip", "CutMix", "Equalization",
    "Floor", "Mean", "MixUp", "Moveaxis", "RGBToGrayscale", "ReLU", "ReLU6", "Relu", "Relu6", "Round", "Swapaxes", "Take",
    # TensorFlow operators, by the last part of their name.
    "abs", "broadcast_to", "cast", "clip_by_value", "concat", "convert_image_dtype", "ensure_shape", "expand_dims",
    "flip_left_right", "gather",
    "getitem", "grayscale_to_rgb", "identity", "pad", "reduce_mean", "relu", "relu6", "repeat", "reshape", "resize", "reverse",
    "rgb_to_grayscale", "round", "saturate_cast", "split", "squeeze", "stack", "stop_gradient", "strided_slice", "tile",
    "transpose", "unstack",
}  # fmt: skip
"""Layers and operators that keep the range of the pixels and have no weights at inference. So do layers named Random..."""

_BOUNDS = {"Maximum", "Minimum", "maximum", "minimum"}
"""Operators that keep the range if the other operand is constant."""

_DOT_PRODUCTS = {"Dot", "Matmul", "Tensordot", "matmul", "tensordot"}
_SUM = {"Sum", "reduce_sum"}

_DIVIDE = {"TrueDivide", "Divide", "truediv", "divide", "realdiv", "div"}
_MULTIPLY = {"Multiply", "multiply", "mul", "scalar_mul"}
_ADD = {"Add", "add", "bias_add"}
_SUBTRACT = {"Subtract", "subtract", "sub"}

_NONLINEAR = {
    "Arctan", "Cos", "Exp", "Expm1", "Log", "Log10", "Log1p", "Log2", "Mod", "Power", "Reciprocal", "Sigmoid", "Sign", "Sin",
    "Softplus", "Softsign", "Sqrt", "Square", "Tanh", "atan", "cos", "exp", "expm1", "floormod", "log", "log1p", "pow",
    "reciprocal", "rsqrt", "sigmoid", "sign", "sin", "softplus", "softsign", "sqrt", "square", "tanh",
}  # fmt: skip
"""Non-linear layers and operators. So are activations other than ReLU, and division by the pixels."""

_SHAPES_ONLY = {
    "Reshape",
    "Flatten",
    "Dropout",
    "Identity",
    "Squeeze",
    "ExpandDims",
    "Cast",
    "reshape",
    "squeeze",
    "identity",
    "cast",
}
"""Layers and operators after the last activation that change no value."""

_MAX_DEPTH = 50
"""Maximum number of layers followed from the input."""


class _Node(NamedTuple):
    """One call of a layer: its inputs, outputs, and constant arguments."""

    layer: Any
    inputs: list[Any]
    outputs: list[Any]
    arguments: list[Any]


def own_scaling(model: Any) -> OwnScaling | None:
    """Scaling of the input inside the model, before its first trained layer; None if there is none."""
    graph = _graph(model)
    if graph is None:
        return None
    return infer_scaling(list(_follow(graph, graph.inputs[0], IDENTITY, [], 0)))


def activation(model: Any, position: int) -> str | None:
    """Last activation before an output: "softmax", "sigmoid", "linear" or another name; None if it cannot be determined."""
    for _ in range(_MAX_DEPTH):
        graph = _graph(model)
        if graph is None:
            return None
        tensor = _flat(graph.outputs)[position]
        while True:
            node = next((node for node in _nodes(graph) if any(tensor is output for output in node.outputs)), None)
            if node is None:
                return None
            kind = _kind(node.layer)
            if kind not in _SHAPES_ONLY and not _scales_up(node):
                break
            tensor = node.inputs[0]
        if _graph(node.layer) is None:
            return _activation_of(node.layer, kind)
        model, position = node.layer, next(i for i, output in enumerate(node.outputs) if output is tensor)
    return None


def _activation_of(layer: Any, kind: str) -> str | None:
    if kind in ("Softmax", "softmax"):
        return "softmax"
    if kind in ("Sigmoid", "sigmoid"):
        return "sigmoid"
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else None


def _scales_up(node: _Node) -> bool:
    """Whether a layer only multiplies by a positive number, for example to convert shares to percents."""
    step = _step(node)
    return step is not None and bool(np.all(step[1] == 0) and step[0].size == 1 and np.all(step[0] > 0))


def _graph(model: Any) -> Any:
    """The model as a graph of layers; None for a layer and for a subclassed model."""
    functional = getattr(model, "_functional", None) or model  # a Sequential of Keras 3 wraps one
    has_nodes = hasattr(functional, "_nodes_by_depth") and getattr(functional, "inputs", None)
    return functional if has_nodes else None


def _nodes(graph: Any) -> Iterator[_Node]:
    for nodes in graph._nodes_by_depth.values():
        for node in nodes:
            if hasattr(node, "operation"):  # Keras 3
                tensors, arguments = list(node.input_tensors), node.arguments
                layer, outputs, named = node.operation, list(node.outputs), arguments.kwargs
                constants = [*arguments.args, *named.values()]
            else:
                layer, tensors, outputs = node.layer, list(node.keras_inputs), _flat(node.outputs)
                constants = [*node.call_args, *node.call_kwargs.values()]
            yield _Node(layer, tensors, outputs, constants)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, dict):
        values = list(values.values())
    return [part for value in values for part in _flat(value)] if isinstance(values, list | tuple) else [values]


def _follow(graph: Any, tensor: Any, so_far: Affine, after: list[tuple[Any, Any]], depth: int) -> Iterator[Affine]:
    """Follow the input along each branch to the first trained layer.

    Args:
        graph: the model.
        tensor: the current tensor.
        so_far: the affine transform from the input to the tensor.
        after: the enclosing models, each with its next tensor, the innermost last.
        depth: number of layers followed so far.
    """
    users = [node for node in _nodes(graph) if any(tensor is value for value in node.inputs)]
    if depth > _MAX_DEPTH:
        yield so_far
        return
    is_output = any(tensor is output for output in _flat(graph.outputs))
    if is_output and after:
        outer, next_tensor = after[-1]
        yield from _follow(outer, next_tensor, so_far, after[:-1], depth + 1)
    elif not users:
        yield so_far
    for node in users:
        inner = _graph(node.layer)
        if inner is not None:
            yield from _follow(inner, inner.inputs[0], so_far, [*after, (graph, node.outputs[0])], depth + 1)
            continue
        step = _step(node)
        if step is not None:
            changed = so_far.with_layer(*step, _in_words(node.layer))
        elif _keeps_range(node):
            changed = so_far
        elif _kind(node.layer) in _SUM and so_far.scale.size == 3:
            changed = so_far.with_sum()
        else:
            yield so_far.with_nonlinear(_in_words(node.layer)) if _is_nonlinear(node) else so_far
            continue
        for output in node.outputs:
            yield from _follow(graph, output, changed, after, depth + 1)


def _kind(layer: Any) -> str:
    """Class of a layer, or the last part of the name of the TensorFlow operator that it calls."""
    symbol = getattr(layer, "symbol", None)
    return symbol.rpartition(".")[2] if isinstance(symbol, str) else type(layer).__name__


def _is_nonlinear(node: _Node) -> bool:
    """Whether a layer is non-affine and has no weights, so that no scaling can be read from it."""
    kind = _kind(node.layer)
    # Only a constant divided by the pixels; a quotient of two parts of the network has two inputs.
    return kind in _NONLINEAR or kind == "Activation" or (kind in _DIVIDE and len(node.inputs) == 1)


def _keeps_range(node: _Node) -> bool:
    kind = _kind(node.layer)
    if kind == "Activation":
        return _activation_of(node.layer, kind) in ("linear", "relu", "relu6")
    return kind in _KEEP_RANGE or kind.startswith("Random") or (kind in _BOUNDS and len(node.inputs) == 1)


def _in_words(layer: Any) -> str:
    kind = _kind(layer)
    return f"{kind} ({layer.name})" if layer.name.lower() != kind.lower() else kind


def _step(node: _Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and offset of an affine layer; None for any other."""
    layer, kind = node.layer, _kind(node.layer)
    try:
        if kind == "Rescaling":
            return _numbers(layer.scale), _numbers(layer.offset)
        if kind == "Normalization":
            if getattr(layer, "invert", False):
                return None
            return _standardize(layer.mean, layer.variance, 0.0)
        if kind == "BatchNormalization":
            return _standardize(layer.moving_mean, layer.moving_variance, layer.epsilon)
        if kind == "Conv2D":
            factor = gray_weights(layer.kernel.numpy()) if layer.kernel.shape[-1] == 1 else None
            is_plain = not layer.use_bias and _activation_of(layer, kind) == "linear"
            return (factor, np.zeros(1)) if factor is not None and is_plain else None
        if len(node.inputs) != 1:  # two tensors are added or multiplied
            return None
        if kind in _DIVIDE | _MULTIPLY | _ADD | _SUBTRACT:
            return _arithmetic(kind, node)
        if kind in _DOT_PRODUCTS:
            factors = [gray_weights(value) for value in node.arguments if value is not node.inputs[0] and np.size(value) == 3]
            return (factors[0], np.zeros(1)) if factors and factors[0] is not None else None
    except Exception:  # a layer of another version, without these attributes
        return None
    return None


def _arithmetic(kind: str, node: _Node) -> tuple[np.ndarray, np.ndarray] | None:
    values = [argument for argument in node.arguments if argument is not None and not isinstance(argument, str)]
    place = next((i for i, value in enumerate(values) if value is node.inputs[0]), 0)
    others = [value for i, value in enumerate(values) if i != place]
    if len(others) != 1:
        return None
    number = _numbers(others[0])
    one, zero = np.ones(1), np.zeros(1)
    if kind in _MULTIPLY:
        return number, zero
    if kind in _ADD:
        return one, number
    if kind in _SUBTRACT:
        return (one, -number) if place == 0 else (-one, number)
    return (1 / number, zero) if place == 0 else None


def _standardize(mean: Any, variance: Any, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    scale = 1 / np.sqrt(np.maximum(_numbers(variance) + epsilon, 1e-12))
    return scale, -_numbers(mean) * scale


def _numbers(value: Any) -> np.ndarray:
    """Convert to a number, or to one per channel.

    Raises:
        TypeError, ValueError: the value is something else.
    """
    if hasattr(value, "numpy"):  # a variable or tensor
        value = value.numpy()
    numbers = as_constant(value)
    if numbers is None:
        raise ValueError("one number, or one per channel, is expected")
    return numbers
