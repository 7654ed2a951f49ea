"""From trained weights to the ONNX file that is shipped: measured, described and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from emodetect.backends.labels import LabelMap
from emodetect.backends.metadata import KEY, ModelMetadata
from emodetect.errors import ModelError
from emodetect.training.architectures import Head, architecture_named
from emodetect.training.dataset import FERPLUS_LABELS, read_votes
from emodetect.training.fit import Part, Settings, as_input, predict, prepare

_PARITY = 1e-4
"""Largest difference between Keras and ONNX Runtime that counts as the same network."""

_CERTAIN_SHARE = 0.9
"""Share of right answers that those above the uncertainty threshold must reach on validation."""

FloatArray = npt.NDArray[np.float32]


def export_run(folder: Path, path: Path) -> dict[str, float]:
    """Export the best weights of a finished run.

    The default output (one head, or the mean of all) and the uncertainty threshold are chosen on the run's validation part, by
    the labels that most people agree on: FER+'s majority where there are votes, else the folders' labels.

    Args:
        folder: the run's folder.
        path: the ONNX file to write.

    Returns:
        Validation accuracy of each output, by name.

    Raises:
        ModelError: the exported network does not compute what Keras computes; no file is left then.
    """
    settings = Settings.load(folder)
    architecture = architecture_named(settings.architecture)
    _, validation, heads = prepare(settings, architecture)
    keras.config.set_dtype_policy("float32")
    model = architecture.build(heads)
    model.load_weights(folder / "best.weights.h5")
    scores = predict(model, validation.faces.images)
    figures = dict(zip((head.name for head in heads), validation.accuracy(scores), strict=True))
    truth = _agreed_labels(settings, validation)
    seven = {head.name: LabelMap(head.labels).apply(score) for head, score in zip(heads, scores, strict=True)}
    if len(heads) > 1:
        seven["mean"] = np.mean(list(seven.values()), axis=0)
    agreed = {name: _accuracy(score, truth) for name, score in seven.items()}
    default = max(agreed, key=lambda name: agreed[name])
    metadata = ModelMetadata(
        labels={head.name: head.labels for head in heads},
        default=default,
        uncertain_below=uncertainty_threshold(seven[default], truth),
        facts={
            "architecture": architecture.name,
            "data": "FER-2013 train folder, FER+ votes" if settings.votes else "FER-2013 train folder",
            "epochs": settings.epochs,
            "seed": settings.seed,
            "validation_accuracy": {name: round(value, 4) for name, value in figures.items()},
            "validation_accuracy_seven_agreed": {name: round(value, 4) for name, value in agreed.items()},
            "keras": keras.__version__,
        },
    )
    write_onnx(model, path, metadata, heads, validation.faces.images[:256])
    return figures | {f"{name} on agreed labels": value for name, value in agreed.items()}


def write_onnx(
    model: keras.Model, path: Path, metadata: ModelMetadata, heads: Sequence[Head], faces: npt.NDArray[np.uint8]
) -> float:
    """Write a Keras model as ONNX, its outputs named after its heads, and compare the two on real faces.

    Args:
        model: float32 input (n, 48, 48, 1), one output a head.
        path: where to.
        metadata: what the file shall say of itself.
        heads: names and labels of the outputs.
        faces: uint8 (n, 48, 48) gray.

    Returns:
        The largest difference of any score.

    Raises:
        ModelError: it is above 1e-4; no file is left then.
    """
    import onnx
    import onnxruntime

    expected = predict(model, faces)  # also the call without which Keras cannot export
    partial = path.with_name(path.name + ".partial.onnx")
    model.export(partial, format="onnx", verbose=False)
    graph = onnx.load(partial)
    _name_outputs(graph, [head.name for head in heads])
    entry = graph.metadata_props.add()
    entry.key, entry.value = KEY, metadata.to_json()
    onnx.checker.check_model(graph)
    onnx.save(graph, partial)
    session = onnxruntime.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
    found = session.run([head.name for head in heads], {session.get_inputs()[0].name: as_input(faces)})
    difference = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
    if difference > _PARITY:
        partial.unlink()
        raise ModelError(f"{path}: the exported network differs from Keras by {difference:.2g}, more than {_PARITY:g}")
    partial.replace(path)
    return difference


def uncertainty_threshold(scores: FloatArray, truth: npt.NDArray[np.int64]) -> float:
    """The lowest confidence from which on the answers are 90 % right.

    Args:
        scores: float32 (n, 7).
        truth: int64 (n,), positions in `EMOTIONS`; -1 where there is no agreed label.

    Returns:
        The threshold, 0 to 1, rounded to two digits.
    """
    known = truth >= 0
    confidence, right = scores[known].max(axis=1), scores[known].argmax(axis=1) == truth[known]
    for threshold in np.arange(0.15, 1.0, 0.01):
        kept = confidence >= threshold
        if kept.any() and right[kept].mean() >= _CERTAIN_SHARE:
            return round(float(threshold), 2)
    return 0.99


def _agreed_labels(settings: Settings, part: Part) -> npt.NDArray[np.int64]:
    if not settings.votes:
        return part.faces.labels
    majority = read_votes(Path(settings.votes), part.faces.keys).majority()
    # Each FER+ label as a one-hot row, mapped by name; contempt has no counterpart.
    seven = LabelMap(FERPLUS_LABELS).apply(np.eye(len(FERPLUS_LABELS), dtype=np.float32))
    position = np.where(seven.max(axis=1) > 0.5, seven.argmax(axis=1), -1)
    return np.where(majority >= 0, position[majority], -1).astype(np.int64)


def _accuracy(scores: FloatArray, truth: npt.NDArray[np.int64]) -> float:
    known = truth >= 0
    return float((scores[known].argmax(axis=1) == truth[known]).mean())


def _name_outputs(graph: Any, names: Sequence[str]) -> None:
    """Rename the outputs of an onnx.ModelProto, in order."""
    for output, name in zip(graph.graph.output, names, strict=True):
        for node in graph.graph.node:
            node.output[:] = [name if value == output.name else value for value in node.output]
            node.input[:] = [name if value == output.name else value for value in node.input]
        output.name = name
