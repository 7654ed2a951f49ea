"""What a model file says of itself: written by our training, read by the backends.

The same JSON object stands in an ONNX file's metadata, in an attribute of an HDF5 file and in a member of a ``.keras`` archive,
under the name ``emodetect`` (with ``.json`` in the archive).
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emodetect.errors import ModelError

KEY = "emodetect"
_MEMBER = KEY + ".json"


@dataclass(frozen=True)
class ModelMetadata:
    """What is needed to use a model, and what should be known of it.

    Attributes:
        labels: for each emotion output, by name, what its positions mean.
        scale: what a pixel (0 to 255) is multiplied by.
        offset: what is added after that.
        uncertain_below: confidence under which an answer should not be trusted, measured on validation; None if not measured.
        default: the output to use, or "mean" for the mean of all; None for the only one.
        face: the output that tells faces from anything else, (n, 2), nothing and face; None where there is none.
        face_above: score of that output from which on a picture counts as a face, measured on validation.
        facts: data, training and figures, for people.
    """

    labels: dict[str, tuple[str, ...]]
    scale: float = 1 / 255
    offset: float = 0.0
    uncertain_below: float | None = None
    default: str | None = None
    face: str | None = None
    face_above: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The metadata as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, path: Path) -> ModelMetadata:
        """Read what `to_json` wrote; ``path`` is named in errors.

        Raises:
            ModelError: it is something else.
        """
        try:
            values = json.loads(text)
            values["labels"] = {name: tuple(labels) for name, labels in values["labels"].items()}
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"{path}: its emodetect metadata cannot be read ({error})") from error


def read_keras_metadata(path: Path) -> ModelMetadata | None:
    """The metadata of a ``.h5`` or ``.keras`` file; None where it has none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            text = archive.read(_MEMBER).decode() if _MEMBER in archive.namelist() else None
    else:
        import h5py

        with h5py.File(path, "r") as file:
            value = file.attrs.get(KEY)
            text = None if value is None else str(value)
    return None if text is None else ModelMetadata.from_json(text, path)


def write_keras_metadata(path: Path, metadata: ModelMetadata) -> None:
    """Add metadata to a ``.h5`` or ``.keras`` file that Keras has saved; Keras still reads the file."""
    if zipfile.is_zipfile(path):
        partial = path.with_name(path.name + ".partial")
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(partial, "w") as target:
            for item in source.infolist():
                if item.filename != _MEMBER:
                    target.writestr(item, source.read(item))
            target.writestr(_MEMBER, metadata.to_json())
        os.replace(partial, path)
    else:
        import h5py

        with h5py.File(path, "r+") as file:
            file.attrs[KEY] = metadata.to_json()
