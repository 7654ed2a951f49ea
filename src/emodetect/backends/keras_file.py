"""Safety checks of Keras files before Keras opens them.

Keras's safe mode refuses code in Lambda layers. Versions before 3.11.3 did not apply it to HDF5 files, and configurations that
name functions or classes of other modules have bypassed it repeatedly. These checks allow only names that networks need.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emodetect.backends.keras_import import keras_cure
from emodetect.backends.limits import MAX_MODEL_BYTES, check_size, too_large
from emodetect.backends.tf_operators import SAFE_OPERATORS
from emodetect.errors import BackendUnavailableError, ModelError, first_line

_PACKAGE = "emodetect"

_MODULES = re.compile(
    r"(tensorflow\.|tensorflow\.python\.|tf_)?keras(\.src)?"
    r"(\.(activations|constraints|dtype_policies|engine|initializers|layers|legacy|losses|metrics|mixed_precision|models|ops|"
    r"optimizers|quantizers|regularizers)(\.\w+)*)?"
)
"""Modules of allowed classes; ``keras.utils`` is not among them, since its functions download and unpack files."""

_FUNCTION_MODULES = re.compile(r"builtins|(tf_)?keras(\.src)?\.(activations|initializers|ops)(\.\w+)*")
"""Modules of allowed functions; Keras writes ``builtins`` for its own activations."""

_PLAIN = {"__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__", "__ellipsis__", "__bytes__"}
"""Serialized plain values, for which Keras creates no class."""

_CODE = {"Lambda", "__lambda__"}

_REFUSED = {
    "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer",  # load pickles and models of other frameworks
    "StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup",  # read external files
    "SequenceFeatures", "DenseFeatures",  # read external files
    "ClassMethod", "InstanceMethod", "InstanceProperty",  # call arbitrary methods
    "TensorFlowOpLayer",  # arbitrary operators in a separate format, from TensorFlow 2.3 and before
    "__typespec__", "TypeSpec", "CompositeTensor",
}  # fmt: skip

_OPERATOR_LAYERS = {"TFOpLambda", "SlicingOpLambda"}
"""Layers of Keras 2 that call a TensorFlow operator by name."""

_MAX_ITEMS = 20_000
"""Maximum number of groups and arrays in an HDF5 file. A group may contain itself, which would never end."""

_MAX_TEXTS = 1000
"""Maximum number of texts in an array. All of them may be references to the same long text."""

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
"""Signatures of the formats. Both may also occur after other content, and a file may be valid in both formats. Readers would then
see different contents."""


def keras_version(path: Path) -> str | None:
    """Version of Keras that saved a file, which must have passed `check_keras_file`; None if the file does not state it."""
    import h5py

    try:
        if is_archive(path):
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json")).get("keras_version")
        else:
            with h5py.File(path, "r") as file:
                version = file.attrs.get("keras_version")
    except Exception:  # damaged; loading reports it
        return None
    text = version.decode(errors="replace") if isinstance(version, bytes) else version
    return text if isinstance(text, str) and re.match(r"\d+\.", text) else None


def check_keras_file(path: Path) -> None:
    """Reject a ``.h5`` or ``.keras`` file that contains code, refers to foreign objects or other files, or is too large.

    Raises:
        ModelError: the file is rejected, or has another format.
        BackendUnavailableError: h5py, which Keras installs, is missing.
    """
    check_size(path)
    try:
        configuration = _archive(path) if is_archive(path) else _hdf5(path, path)
    except ModelError:
        raise
    except ImportError as error:
        raise BackendUnavailableError(f"{path}: reading it needs Keras ({first_line(error)})", hint=keras_cure()) from error
    except Exception as error:  # damaged archives and HDF5 files raise almost anything
        if _is_pickle(path):
            raise ModelError(f"{path}: is a pickle, which could run any code and is refused for safety") from error
        raise ModelError(f"{path}: not a Keras model file (neither HDF5 nor a .keras archive)") from error
    for entry in _named(configuration):
        _check_named(path, entry)


def is_hdf5(content: bytes) -> bool:
    """Whether a file that begins with these bytes is HDF5."""
    return content.startswith(_HDF5)


def is_archive(path: Path) -> bool:
    """Whether a Keras file is an archive (``.keras``) rather than HDF5 (``.h5``), by the rule of Keras itself.

    Raises:
        ValueError: the file is neither, or its suffix, which Keras relies on, names the other format.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        beginning = file.read(len(_HDF5))
    found = beginning.startswith(_ZIP)
    if (not found and not is_hdf5(beginning)) or found != (path.suffix.lower() == ".keras"):
        raise ValueError("neither HDF5 nor an archive")
    return found


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in {b"\x80" + bytes([protocol]) for protocol in range(2, 6)}


def has_pickle(names: Iterable[str]) -> bool:
    """Whether an archive contains pickles, judged by the names of its members."""
    return any(name.endswith((".pkl", ".pickle")) for name in names)


def _archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MAX_MODEL_BYTES:
            raise too_large(path)
        names = {member.filename for member in members}
        if has_pickle(names):
            raise ModelError(f"{path}: holds a pickle, which could run any code and is refused for safety")
        if "config.json" not in names:
            raise ModelError(f"{path}: is an archive, but not of a Keras model")
        if "model.weights.h5" in names:
            _hdf5(path, io.BytesIO(archive.read("model.weights.h5")))
        return json.loads(archive.read("config.json"))


def _hdf5(path: Path, source: Path | io.BytesIO) -> Any:
    """Configuration of a model in HDF5; None if there is none. Weights in other files are rejected."""
    import h5py

    with h5py.File(source, "r") as file:
        total = seen = 0
        groups = [file]
        while groups:
            group = groups.pop()
            _check_named_once(path, group)
            for name in group:
                seen += 1
                if seen > _MAX_ITEMS:
                    raise ModelError(f"{path}: has too many parts for a network")
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise ModelError(f"{path}: keeps weights behind a link ({name}), which is refused for safety")
                item = group[name]
                if isinstance(item, h5py.Group):
                    groups.append(item)
                    continue
                if not isinstance(item, h5py.Dataset):
                    continue
                if item.external or item.is_virtual:
                    raise ModelError(f"{path}: keeps weights in other files ({name}), which is refused for safety")
                if item.dtype.hasobject and item.size > _MAX_TEXTS:
                    raise ModelError(f"{path}: holds {item.size:,} texts ({name}), which no network has")
                total += item.nbytes  # for every name, since Keras reads it for each
                if total > MAX_MODEL_BYTES:
                    raise too_large(path)
        text = file.attrs.get("model_config")
    return None if text is None else json.loads(text)


def _check_named_once(path: Path, group: Any) -> None:
    """Check that the lists of layers and weights contain no duplicates, which Keras would read repeatedly."""
    for kind in ("layer_names", "weight_names"):
        names = [str(name) for key in group.attrs if key.startswith(kind) for name in np.ravel(group.attrs[key])]
        if len(set(names)) < len(names):
            raise ModelError(f"{path}: names the same weights more than once, which is refused for safety")


def _named(configuration: Any) -> Iterator[dict[str, Any]]:
    """All entries of a configuration that name a class or function."""
    waiting = [configuration]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_named(path: Path, entry: dict[str, Any]) -> None:
    name, module, registered = (str(entry.get(key) or "") for key in ("class_name", "module", "registered_name"))
    if name in _CODE:
        raise ModelError(
            f"{path}: holds a Lambda layer, that is Python code, which is not run for safety; export the model without it"
        )
    if name in _OPERATOR_LAYERS:
        _check_operator(path, entry)
    packages = [part.partition(">")[0] for part in (name, registered) if ">" in part]
    if module.startswith(f"{_PACKAGE}.") or packages:
        allowed = all(package == _PACKAGE for package in packages) and module in ("", f"{_PACKAGE}.backends.keras_layers")
    elif name == "function":
        allowed = _FUNCTION_MODULES.fullmatch(module) is not None
    else:
        allowed = name in _PLAIN or (name not in _REFUSED and (not module or _MODULES.fullmatch(module) is not None))
    if not allowed:
        what = f"{module}.{name}" if module else name
        why = "could run code or read files" if name in _REFUSED else "is none of Keras's own layers"
        raise ModelError(f"{path}: needs {what}, which {why} and is refused for safety")


def _check_operator(path: Path, entry: dict[str, Any]) -> None:
    configuration = entry.get("config")
    operator = configuration.get("function") if isinstance(configuration, dict) else None
    if operator not in SAFE_OPERATORS:
        raise ModelError(
            f"{path}: calls the TensorFlow operator {operator}, which is refused for safety: it is no plain arithmetic"
        )
