"""ONNX files for tests, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from emodetect.backends.metadata import KEY


def constant(name: str, value: Any, kind: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value, kind), name)


def node(operator: str, *inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), [output], name=f"{operator} {output}", **attributes)


def save_means(
    path: Path,
    before: Sequence[onnx.NodeProto] = (),
    after: Sequence[onnx.NodeProto] = (),
    constants: Sequence[onnx.TensorProto] = (),
    *,
    shape: Sequence[Any] = ("n", 1, 48, 48),
    kind: int = TensorProto.FLOAT,
    outputs: Sequence[tuple[str, Sequence[Any] | None, int]] = (("y", ("n", 7), TensorProto.FLOAT),),
    metadata: str | None = None,
    axes: Sequence[int] = (1, 2, 3),
) -> Path:
    """A network that takes a mean of 0.2 to 0.8 for happy, below for sad and above for angry.

    Nodes before go from "x" to "scaled", those after from "logits" (n, 7) to the outputs; without any, the names stay.
    """
    first, last = ("scaled" if before else "x"), ("logits" if after else "y")
    weights = np.zeros((1, 7), np.float32)
    bias = np.full(7, -50, np.float32)
    for place, factor, term in ((0, 40, -32), (3, 0, 0), (5, -40, 8)):
        weights[0, place], bias[place] = factor, term
    nodes = [
        *before,
        node("ReduceMean", first, "axes", output="mean", keepdims=0),
        node("Unsqueeze", "mean", "one", output="column"),
        node("Gemm", "column", "W", "B", output=last),
        *after,
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info(name, number, None if size is None else list(size)) for name, size, number in outputs],
        [
            constant("W", weights),
            constant("B", bias),
            constant("axes", list(axes), np.int64),
            constant("one", [1], np.int64),
            *constants,
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if metadata is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = KEY, metadata
    path.write_bytes(model.SerializeToString())
    return path
