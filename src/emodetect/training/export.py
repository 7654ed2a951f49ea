"""Export of Keras networks to ONNX files, with metadata and a comparison of the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from emodetect.backends.cnn import create_cnn
from emodetect.backends.conventions import UNSTATED, ModelConventions
from emodetect.backends.file_backend import ModelFileBackend
from emodetect.backends.keras_cnn import KerasBackend, in_order, is_keras2
from emodetect.backends.metadata import KEY, ModelMetadata
from emodetect.backends.onnx_cnn import OnnxBackend
from emodetect.backends.onnx_session import import_onnxruntime
from emodetect.errors import BackendUnavailableError, EmodetectError, ModelError, first_line
from emodetect.system.install_hints import extra_cure
from emodetect.system.native_output import quiet_native_output
from emodetect.system.output_files import atomic_write
from emodetect.training.data.labeled import as_images, as_input
from emodetect.training.data.negatives import FACE
from emodetect.training.trained_model import TrainedModel, face_threshold, load_best
from emodetect.types import Image

_PARITY = 1e-4
"""Maximum difference between the scores of Keras and ONNX Runtime."""

_OPSET = 17
"""ONNX opset version for models of Keras 2."""

_MIN_AGREEMENT = 0.95
"""Minimum share of faces for which an 8-bit network must predict the same labels as the 32-bit one."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """Agreement of an exported network with its source.

    Attributes:
        difference: the largest difference of any score.
        same_answers: share of the faces for which all outputs predict the same label.
    """

    difference: float
    same_answers: float


def export_run(folder: Path, path: Path, faces: Sequence[Image], *, int8: bool = False, overwrite: bool = True) -> Parity:
    """Export the best weights of a run.

    Args:
        folder: the run's folder; its data is read again.
        path: the ONNX file to write.
        faces: uint8 (height, width, 3) BGR, for the comparison of the two.
        int8: quantize the network to 8 bits; see `quantize`.
        overwrite: whether the ONNX file may be replaced.

    Returns:
        The agreement of the file with the network in Keras.

    Raises:
        DatasetError: the folder contains no run with a finished epoch, or its data cannot be read.
        ModelError: the scores of the exported network differ from those in Keras; no file is written.
    """
    trained = load_best(folder)
    parity = write_onnx(trained.model, path, trained.metadata, as_input(as_images(faces)), int8=int8, overwrite=overwrite)
    if int8 and trained.metadata.face is not None:
        measure_face_threshold(path, trained)
    return parity


def export_file(
    source: Path,
    path: Path,
    faces: Sequence[Image],
    conventions: ModelConventions = UNSTATED,
    *,
    int8: bool = False,
    overwrite: bool = True,
) -> Parity:
    """Export a model file to ONNX, with everything known about it in the metadata.

    Args:
        source: ``.h5`` or ``.keras``, saved by Keras 3 or 2, or ``.onnx``.
        path: the ONNX file to write.
        faces: uint8 (height, width, 3) BGR, for the comparison of the two.
        conventions: conventions stated by the user, which override the metadata; the rest is assumed as in other commands.
        int8: quantize the network to 8 bits; see `quantize`.
        overwrite: whether the ONNX file may be replaced.

    Returns:
        The agreement of the file with its source.

    Raises:
        ModelError: the file cannot be read or exported, or the scores of the exported network differ; no file is written.
    """
    backend = create_cnn(str(source), conventions)
    assert isinstance(backend, ModelFileBackend)
    with backend:
        expected = backend.classify(faces)  # first, since it determines the kind of the scores
        if int8 and not (backend.has_dynamic_batch and backend.network.input_type == "float32"):
            raise ModelError(f"{source}: 8 bits need a network that takes any number of faces, as 32-bit numbers")
        if isinstance(backend, KerasBackend):
            model = backend.keras_model
            names = backend.output_names
            return write_onnx(
                model,
                path,
                backend.metadata,
                backend.prepare(faces),
                names,
                lambda partial: _compare_scores(partial, path.name, faces, expected),
                int8=int8,
                overwrite=overwrite,
            )
        return _describe_onnx(backend, source, path, faces, expected, int8=int8, overwrite=overwrite)


def _describe_onnx(
    backend: ModelFileBackend,
    source: Path,
    path: Path,
    faces: Sequence[Image],
    expected: FloatArray,
    *,
    int8: bool,
    overwrite: bool,
) -> Parity:
    """Rewrite an ONNX file with its metadata, and check that it gives the same scores without options."""
    import onnx

    graph = onnx.load(source)
    set_metadata(graph, backend.metadata)
    with atomic_write(path, overwrite=overwrite) as partial:
        onnx.save(graph, partial)
        if int8:
            _quantize(partial, path, backend.prepare(faces))
        parity = _compare_scores(partial, path.name, faces, expected)
        _check_parity(path, parity, int8=int8)
    return parity


def write_onnx(
    model: Any,
    path: Path,
    metadata: ModelMetadata,
    faces: npt.NDArray[Any],
    names: Sequence[str] | None = None,
    compare_scores: Callable[[Path], Parity] | None = None,
    *,
    int8: bool = False,
    overwrite: bool = True,
) -> Parity:
    """Write a Keras model as ONNX, with outputs named as in the metadata, and compare the two on real faces.

    Args:
        model: model of Keras 3 or 2.
        path: the ONNX file to write.
        metadata: metadata of the file.
        names: names of the outputs, in order; None for the names of those with labels, and of the face output.
        faces: a batch in the format of the model's input.
        compare_scores: compares the scores of the written file with those of its source, in addition to the raw outputs.
        int8: quantize the network to 8 bits, with ranges measured on these faces; see `quantize`.
        overwrite: whether the ONNX file may be replaced.

    Returns:
        The agreement of the file with the network in Keras.

    Raises:
        BackendUnavailableError: the ONNX packages are missing.
        ModelError: Keras cannot export it, a difference exceeds 1e-4, or with 8 bits more than 5% of the labels differ; no file
            is written.
        OutputError: the file cannot be written.
    """
    # Keras cannot export a model that was never called.
    expected = list(map(np.asarray, in_order(model.predict(faces, batch_size=256, verbose=0))))
    with atomic_write(path, overwrite=overwrite) as partial:
        with quiet_native_output():
            _convert(model, partial, path.name)
            names = names or [*metadata.labels, *([metadata.face] if metadata.face else [])]
            names = _describe(partial, metadata, names)
        parity = _compare(partial, names, faces, expected)
        _check_parity(path, parity, int8=False)
        if int8:
            _quantize(partial, path, faces)
            parity = _compare(partial, names, faces, expected)
            _check_parity(path, parity, int8=True)
        if compare_scores is not None:
            parity = compare_scores(partial)
            _check_parity(path, parity, int8=int8)
    return parity


def _compare_scores(path: Path, name: str, faces: Sequence[Image], expected: FloatArray) -> Parity:
    """Compare the scores of an ONNX file, used without options, with those of its source."""
    with OnnxBackend(path, name=name) as written:
        found = written.classify(faces)
    return Parity(float(np.abs(expected - found).max()), float((expected.argmax(1) == found.argmax(1)).mean()))


def _check_parity(path: Path, parity: Parity, *, int8: bool) -> None:
    """Check that a network computes the same, or with 8 bits predicts the same labels.

    Raises:
        ModelError: the difference is too large.
    """
    if int8:
        if not parity.same_answers >= _MIN_AGREEMENT:
            raise ModelError(f"{path}: in 8 bits only {parity.same_answers:.0%} of the answers stay the same")
    elif not parity.difference <= _PARITY:  # also true for NaN
        raise ModelError(
            f"{path}: the exported network differs from what it was made of by {parity.difference:.2g}, more than {_PARITY:g}"
        )


def _quantize(partial: Path, path: Path, faces: npt.NDArray[Any]) -> None:
    from emodetect.training.quantize import quantize

    try:
        quantize(partial, partial, faces)
    except (EmodetectError, OSError):
        raise
    except Exception as error:  # the quantizer's errors have no common base class
        raise ModelError(f"{path}: cannot be turned into 8 bits ({first_line(error)})") from error


def measure_face_threshold(path: Path, trained: TrainedModel) -> None:
    """Measure the threshold of the face output again and write it to the file, since 8 bits change the lowest scores.

    Args:
        path: the ONNX file of a network with a face output.
        trained: its source.
    """
    import onnx

    session = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    batch = {session.get_inputs()[0].name: as_input(trained.small_faces)}
    [scores] = session.run([trained.metadata.face], batch)
    metadata = replace(trained.metadata, face_above=face_threshold(scores[:, FACE]))
    graph = onnx.load(path)
    set_metadata(graph, metadata)
    with atomic_write(path, overwrite=True) as partial:
        onnx.save(graph, partial)


def _convert(model: Any, path: Path, name: str) -> None:
    try:
        import onnx  # noqa: F401

        if is_keras2(model):
            _convert_keras2(model, path)
        else:
            model.export(path, format="onnx", verbose=False)
    except ImportError as error:
        raise BackendUnavailableError(f"ONNX export needs more packages ({error})", hint=extra_cure("train")) from error
    except OSError:
        raise
    except Exception as error:  # each backend of Keras has its own converter and errors
        reason = first_line(error)
        hint = "" if keras.backend.backend() == "tensorflow" else "; KERAS_BACKEND=tensorflow may"
        raise ModelError(f"{name}: Keras on {keras.backend.backend()} cannot export it ({reason}){hint}") from error


def _convert_keras2(model: Any, path: Path) -> None:
    """Convert a model of Keras 2, which has no exporter, as a TensorFlow function."""
    import tensorflow
    import tf2onnx

    signature = [tensorflow.TensorSpec(tensor.shape, tensor.dtype, name="input") for tensor in model.inputs]
    function = tensorflow.function(lambda batch: model(batch, training=False), input_signature=signature)
    tf2onnx.convert.from_function(function, input_signature=signature, opset=_OPSET, output_path=str(path))


def set_metadata(graph: Any, metadata: ModelMetadata) -> None:
    """Replace the metadata of an onnx.ModelProto.

    Args:
        graph: the onnx.ModelProto.
        metadata: the metadata.
    """
    kept = [entry for entry in graph.metadata_props if entry.key != KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    entry = graph.metadata_props.add()
    entry.key, entry.value = KEY, metadata.to_json()


def _describe(path: Path, metadata: ModelMetadata, named: Sequence[str]) -> list[str]:
    """Name the outputs of an ONNX file, in order, and add the metadata; returns the names of the outputs."""
    import onnx

    graph = onnx.load(path)
    names = [name for name, _ in zip(named, graph.graph.output, strict=False)]
    _name_outputs(graph, names)
    set_metadata(graph, metadata)
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
