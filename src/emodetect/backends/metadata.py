"""What a model file says of itself: written by our training, read by the backends.

The same JSON object stands in an ONNX file's metadata, in an attribute of an HDF5 file and in a member of a ``.keras`` archive,
under the name ``emodetect`` (with ``.json`` in the archive).
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emodetect.backends.conventions import Scaling
from emodetect.backends.keras_file import is_archive
from emodetect.errors import ModelError

KEY = "emodetect"
_MEMBER = KEY + ".json"

_MOST_BYTES = 2**20
"""Of the metadata of a ``.keras`` archive, unpacked."""


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

    @property
    def scaling(self) -> Scaling:
        """From pixels to what the network takes."""
        return Scaling((self.scale,), (self.offset,))

    def validation_accuracy(self, output: str | None) -> float | None:
        """Share of right answers of an output (or "mean"), as in `EmotionBackend.validation_accuracy`; None where not said."""
        figures = self.facts.get("validation_accuracy_seven_agreed")
        value = figures.get(output) if isinstance(figures, dict) else None
        return value if isinstance(value, float) and 0 <= value <= 1 else None

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
            metadata = cls(**values)
            metadata._check()
            return metadata
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelError(f"{path}: its emodetect metadata cannot be read ({error})") from error

    def _check(self) -> None:
        """See that what stands there is of the right kind: it comes from a file that anybody may have written."""
        numbers = [self.scale, self.offset, *(n for n in (self.uncertain_below, self.face_above) if n is not None)]
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError("a number is expected where there is none")
        names = [*self.labels, *(label for labels in self.labels.values() for label in labels)]
        names += [name for name in (self.default, self.face) if name is not None]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("a name is expected where there is none")


def read_keras_metadata(path: Path) -> ModelMetadata | None:
    """The metadata of a ``.h5`` or ``.keras`` file; None where it has none.

    Raises:
        ModelError: the file or its metadata cannot be read.
        OSError: the same, for an HDF5 file.
    """
    try:
        text = _keras_metadata_text(path)
    except OSError:
        raise
    except Exception as error:  # a damaged archive makes its reader raise almost anything
        raise ModelError(f"{path}: not a Keras model file (neither HDF5 nor a .keras archive)") from error
    return None if text is None else ModelMetadata.from_json(text, path)


def _keras_metadata_text(path: Path) -> str | None:
    if is_archive(path):
        with zipfile.ZipFile(path) as archive:
            if _MEMBER not in archive.namelist():
                return None
            if archive.getinfo(_MEMBER).file_size > _MOST_BYTES:
                raise ValueError(f"{_MEMBER} is too large")
            return archive.read(_MEMBER).decode()
    import h5py

    with h5py.File(path, "r") as file:
        value = file.attrs.get(KEY)
        return None if value is None else str(value)


def write_keras_metadata(path: Path, metadata: ModelMetadata) -> None:
    """Add metadata to a ``.h5`` or ``.keras`` file that Keras has saved; Keras still reads the file."""
    if is_archive(path):
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
