"""From a Keras network to an ONNX file: described and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import UNSTATED, ModelConventions
from emodetect.backends.keras_cnn import face_input, load_keras_model, output_shapes
from emodetect.backends.labels import TUTORIAL_LABELS, LabelMap
from emodetect.backends.metadata import KEY, ModelMetadata, read_keras_metadata
from emodetect.backends.onnx_session import import_onnxruntime
from emodetect.errors import BackendUnavailableError, ModelError, first_line
from emodetect.files import written_whole
from emodetect.quiet import quiet_native_output
from emodetect.suggestions import did_you_mean_file
from emodetect.training.dataset import as_input
from emodetect.training.negatives import FACE
from emodetect.training.result import TrainedModel, face_threshold, load_best
from emodetect.types import Image

_PARITY = 1e-4
"""Largest difference between Keras and ONNX Runtime that counts as the same network."""

_SAME_ANSWERS = 0.95
"""Share of the faces on which a network in 8 bits must give the answers that it gives in 32."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """How much an exported network is like the one in Keras.

    Attributes:
        difference: the largest difference of any score.
        same_answers: share of the faces on which all outputs give the same answer.
    """

    difference: float
    same_answers: float


def export_run(folder: Path, path: Path, faces: Sequence[Image], *, int8: bool = False) -> Parity:
    """Export the best weights of a run.

    Args:
        folder: the run's folder; its data is read again.
        path: the ONNX file to write.
        faces: uint8 (height, width, 3) BGR, to compare the two on.
        int8: write a network that computes in 8 bits; see `quantize`.

    Returns:
        How much the file is like the network in Keras.

    Raises:
        DatasetError: the folder holds no run with a finished epoch, or its data cannot be read.
        ModelError: the exported network does not compute what Keras computes; no file is left then.
    """
    trained = load_best(folder)
    takes = face_input(folder, trained.model, trained.metadata)
    parity = write_onnx(trained.model, path, trained.metadata, takes.prepare(faces), int8=int8)
    if int8 and trained.metadata.face is not None:
        measure_face_threshold(path, trained)
    return parity


def export_file(
    source: Path, path: Path, faces: Sequence[Image], conventions: ModelConventions = UNSTATED, *, int8: bool = False
) -> Parity:
    """Export a Keras file.

    Args:
        source: ``.h5`` or ``.keras``.
        path: the ONNX file to write.
        faces: uint8 (height, width, 3) BGR, to compare the two on.
        conventions: what the user says of it, overriding the file's metadata.
        int8: write a network that computes in 8 bits; see `quantize`.

    Returns:
        How much the file is like the network in Keras.

    Raises:
        ModelError: the file cannot be read or exported, or the exported network does not compute what Keras computes; no file
            is left then.
    """
    if not source.is_file():
        raise ModelError(f"{source}: no such model file{did_you_mean_file(source)}")
    try:
        known = read_keras_metadata(source)
    except OSError as error:
        raise ModelError(f"{source}: not a Keras model file (neither HDF5 nor a .keras archive)") from error
    with quiet_native_output():
        model = load_keras_model(source)
        takes = face_input(source, model, known, conventions)
    metadata = known or ModelMetadata(labels={"scores": TUTORIAL_LABELS})
    if conventions.labels:
        metadata = replace(metadata, labels=dict.fromkeys(metadata.labels, conventions.labels))
    for shape, names in zip(output_shapes(model), metadata.labels.values(), strict=False):
        LabelMap(names)
        if len(shape) != 2 or shape[1] != len(names):
            raise ModelError(f"{source}: expected an output (n, {len(names)}), got {shape}; --labels names the outputs")
    return write_onnx(model, path, metadata, takes.prepare(faces), int8=int8)


def write_onnx(model: keras.Model, path: Path, metadata: ModelMetadata, faces: FloatArray, *, int8: bool = False) -> Parity:
    """Write a Keras model as ONNX, its outputs named as in the metadata, and compare the two on real faces.

    Args:
        model: float32 input (n, height, width, channels).
        path: where to.
        metadata: what the file shall say of itself; names the outputs in the model's order.
        faces: a batch as the model takes it, (n, height, width, channels).
        int8: write a network that computes in 8 bits, on ranges measured on these faces; see `quantize`.

    Returns:
        How much the file is like the network in Keras.

    Raises:
        BackendUnavailableError: the ONNX packages are missing.
        ModelError: Keras cannot export it, the difference is above 1e-4, or in 8 bits more than one answer in 20 is another; no
            file is left then.
        OutputError: the file cannot be written.
    """
    expected = _outputs(model.predict(faces, batch_size=256, verbose=0))  # also the call without which Keras cannot export
    with written_whole(path) as partial:
        with quiet_native_output():
            _convert(model, partial, path.name)
            names = _describe(partial, metadata)
        parity = _compare(partial, names, faces, expected)
        # Not a number is no agreement either.
        if not parity.difference <= _PARITY:
            raise ModelError(f"{path}: the exported network differs from Keras by {parity.difference:.2g}, more than {_PARITY:g}")
        if int8:
            from emodetect.training.quantize import quantize

            quantize(partial, partial, faces)
            parity = _compare(partial, names, faces, expected)
            if not parity.same_answers >= _SAME_ANSWERS:
                raise ModelError(f"{path}: in 8 bits only {parity.same_answers:.0%} of the answers stay the same")
    return parity


def measure_face_threshold(path: Path, trained: TrainedModel) -> None:
    """Measure the face output's threshold again, and write it into the file: in 8 bits the lowest scores are others.

    Args:
        path: the ONNX file of a network with a face output.
        trained: what it was made of.
    """
    import onnx

    session = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    batch = {session.get_inputs()[0].name: as_input(trained.small_faces)}
    [scores] = session.run([trained.metadata.face], batch)
    metadata = replace(trained.metadata, face_above=face_threshold(scores[:, FACE]))
    graph = onnx.load(path)
    for entry in graph.metadata_props:
        if entry.key == KEY:
            entry.value = metadata.to_json()
    with written_whole(path, overwrite=True) as partial:
        onnx.save(graph, partial)


def _convert(model: keras.Model, path: Path, name: str) -> None:
    try:
        import onnx  # noqa: F401

        model.export(path, format="onnx", verbose=False)
    except ImportError as error:
        raise BackendUnavailableError(f"ONNX export needs more packages ({error}); pip install 'emodetect[train]'") from error
    except OSError:
        raise
    except Exception as error:  # each of Keras's backends has its own converter with its own errors
        reason = first_line(error)
        hint = "" if keras.backend.backend() == "tensorflow" else "; KERAS_BACKEND=tensorflow may"
        raise ModelError(f"{name}: Keras on {keras.backend.backend()} cannot export it ({reason}){hint}") from error


def _describe(path: Path, metadata: ModelMetadata) -> list[str]:
    """Name the outputs of an ONNX file and add the metadata; returns the names of those outputs that have labels."""
    import onnx

    graph = onnx.load(path)
    named = [*metadata.labels, *([metadata.face] if metadata.face else [])]
    names = [name for name, _ in zip(named, graph.graph.output, strict=False)]
    _name_outputs(graph, names)
    entry = graph.metadata_props.add()
    entry.key, entry.value = KEY, metadata.to_json()
    onnx.checker.check_model(graph)
    onnx.save(graph, path)
    return names


def _name_outputs(graph: Any, names: Sequence[str]) -> None:
    """Rename the outputs of an onnx.ModelProto, in order."""
    for output, name in zip(graph.graph.output, names, strict=False):
        for node in graph.graph.node:
            node.output[:] = [name if value == output.name else value for value in node.output]
            node.input[:] = [name if value == output.name else value for value in node.input]
        output.name = name


def _compare(path: Path, names: Sequence[str], faces: FloatArray, expected: Sequence[FloatArray]) -> Parity:
    session = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(names), {session.get_inputs()[0].name: faces})
    pairs = list(zip(expected, found, strict=False))
    same = np.all([a.argmax(axis=1) == b.argmax(axis=1) for a, b in pairs], axis=0)
    return Parity(max(float(np.abs(a - b).max()) for a, b in pairs), float(same.mean()))


def _outputs(scores: Any) -> list[FloatArray]:
    return [np.asarray(output) for output in scores] if isinstance(scores, list | tuple) else [np.asarray(scores)]
