"""Metadata in model files, written by training and read by the backends.

The same JSON object is stored in an ONNX file's metadata, in an attribute of an HDF5 file, and in a member of a ``.keras``
archive, with the key ``emodetect`` (``emodetect.json`` in the archive).
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from emodetect.backends.conventions import CHANNELS, Channels, Scaling
from emodetect.backends.keras_file import has_pickle, is_archive
from emodetect.backends.labels import NO_LABEL, known_label
from emodetect.backends.limits import MAX_MODEL_BYTES
from emodetect.backends.score_kind import ScoreKind
from emodetect.errors import ModelError, UsageError

KEY = "emodetect"
_MEMBER = KEY + ".json"

_CONFIGURATION, _KERAS_METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
"""Members of a ``.keras`` archive that Keras writes."""

_MAX_BYTES = 2**20
"""Maximum size of the unpacked metadata of a ``.keras`` archive, bytes."""


_PLACEHOLDER = re.compile(r"(?:(?:label|class)[ _-]?)?\d*", re.IGNORECASE)
"""A name without a meaning, such as LABEL_0 of Hugging Face."""

_MAX_TEXT_LENGTH = 10_000
"""Maximum length of an entry of another program, characters."""


@dataclass(frozen=True)
class ModelMetadata:
    """Properties that are required to run a model, and facts about it.

    Attributes:
        labels: labels of each emotion output, by the output's name.
        scaling: input scaling; None if not stated.
        channels: "gray", "rgb" or "bgr"; None if not stated.
        uncertain_below: confidence below which scores are unreliable, measured on validation data; None if not measured.
        default: the output to use, or "mean" for the mean of all; None for a single output.
        scores: kind of each emotion output's values, by the output's name; determined from the values if it is missing.
        face: the output that separates faces from other images, (n, 2), no face and face; None if there is none.
        face_above: minimum score of a face in that output, measured on validation data.
        facts: information on data, training and accuracy for users.
        ignored: invalid entries of the file, in words.
    """

    labels: dict[str, tuple[str, ...]]
    scaling: Scaling | None = None
    channels: Channels | None = None
    uncertain_below: float | None = None
    default: str | None = None
    scores: dict[str, ScoreKind] = field(default_factory=dict)
    face: str | None = None
    face_above: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def validation_accuracy(self, output: str | None) -> float | None:
        """Accuracy of an output (or "mean"), as in `EmotionBackend.validation_accuracy`; None if not stated."""
        figures = self.facts.get("validation_accuracy_seven_agreed")
        value = figures.get(output) if isinstance(figures, dict) else None
        return value if isinstance(value, float) and 0 <= value <= 1 else None

    def to_json(self) -> str:
        """Serialize to a JSON object.

        The scaling is stored as ``scale`` and ``offset``, each a number, or a list with one per channel.
        """
        values = asdict(self)
        del values["ignored"], values["scaling"]
        if self.scaling is not None:
            for name, numbers in (("scale", self.scaling.scale), ("offset", self.scaling.offset)):
                values[name] = numbers[0] if len(numbers) == 1 else list(numbers)
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str, path: Path) -> ModelMetadata:
        """Parse the result of `to_json`, or JSON written by hand; ``path`` is named in errors.

        Instead of ``scale`` and ``offset``, ``mean`` and ``deviation`` are accepted, for pixels from 0 to 1.

        Raises:
            ModelError: the text is no valid metadata.
        """
        try:
            values = json.loads(text, parse_constant=lambda name: None, parse_float=_finite)
            if not isinstance(values, dict) or not isinstance(values.get("labels"), dict):
                raise ValueError("expected an object with an object of labels in it")
            values["labels"] = {name: tuple(labels) for name, labels in values["labels"].items()}
            values["scaling"] = _scaling(values)
            if unknown := sorted(values.keys() - (cls.__dataclass_fields__.keys() - {"ignored"})):
                raise ValueError(f"{', '.join(unknown)}: not known to this version")
            metadata = cls(**values)._checked()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError) as error:
            raise ModelError(f"{path}: its emodetect metadata cannot be read ({error})") from error
        return metadata

    def _checked(self) -> ModelMetadata:
        """Validate the types of all entries, since anybody may have written the file; returns the metadata."""
        names = [*self.labels, *(label for labels in self.labels.values() for label in labels)]
        names += [name for name in (self.default, self.face) if name is not None]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("a name is expected where there is none")
        if not isinstance(self.facts, dict):
            raise ValueError("facts: an object is expected")
        if not isinstance(self.scores, dict) or not all(kind in get_args(ScoreKind) for kind in self.scores.values()):
            raise ValueError(f"scores: expected an object with outputs and one of {', '.join(get_args(ScoreKind))} for each")
        if self.channels not in (None, *CHANNELS):
            raise ValueError(f"channels: expected one of {', '.join(CHANNELS)}")
        impossible: dict[str, float] = {}
        for name in ("uncertain_below", "face_above"):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, int | float):
                raise ValueError("a number is expected where there is none")
            if not 0 <= value <= 1:
                impossible[name] = value
        ignored = tuple(f"{name} {value:g} of its metadata is no share from 0 to 1" for name, value in impossible.items())
        kept = {name: getattr(self, name) for name in ("uncertain_below", "face_above") if name not in impossible}
        return replace(self, uncertain_below=kept.get("uncertain_below"), face_above=kept.get("face_above"), ignored=ignored)


def _finite(text: str) -> float | None:
    """Parse a JSON number; None for infinity and NaN."""
    return number if math.isfinite(number := float(text)) else None


def _scaling(values: dict[str, Any]) -> Scaling | None:
    """Remove the scaling from a JSON object and return it; None if there is none.

    Raises:
        UsageError: a number is out of range.
        ValueError: an entry is no number, or the scaling is stated twice.
    """
    parts = {name: values.pop(name, None) for name in ("scale", "offset", "mean", "deviation")}
    scale, offset, mean, deviation = (None if part is None else _as_numbers(part) for part in parts.values())
    if (scale or offset) and (mean or deviation):
        raise ValueError("either scale and offset, or mean and deviation, are expected")
    if mean or deviation:
        count = max(len(mean or ()), len(deviation or ()))
        return Scaling.of_mean(mean or (0.0,) * count, deviation or (1.0,) * count)
    if scale is None and offset is None:
        return None
    scale = scale or (1 / 255,)
    return Scaling(scale, offset or (0.0,) * len(scale))


def _as_numbers(value: Any) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise ValueError("a number is expected where there is none")
    return tuple(map(float, numbers))


def class_names(entries: Mapping[str, str]) -> tuple[str, ...]:
    """Class names that other programs write into a model's metadata, those of emotions first; empty if there are none.

    Args:
        entries: ``names`` of Ultralytics, ``id2label`` and ``label2id`` of Hugging Face, alone or in ``config``, or ``classes``,
            ``class_names`` or ``labels``: a list or dictionary, as JSON or a Python literal, or comma-separated names.
    """
    entries = {key.lower(): text for key, text in entries.items() if len(text) <= _MAX_TEXT_LENGTH}
    with contextlib.suppress(ValueError, RecursionError, TypeError, AttributeError):
        entries |= {key: json.dumps(value) for key, value in json.loads(entries.get("config", "{}")).items() if "label" in key}
    keys = "names", "id2label", "label2id", "class_names", "classes", "labels"
    found = [names for key in keys if (names := _names(entries.get(key, "")))]
    emotions = [names for names in found if not unknown_names(names)]
    others = [names for names in found if len(names) > 1 and not all(map(_PLACEHOLDER.fullmatch, names))]
    return next(iter(emotions or others), ())


def unknown_names(names: Sequence[str]) -> list[str]:
    """Class names that are not emotions."""
    return [name for name in names if not known_label(name) and name != NO_LABEL]


def _names(text: str) -> tuple[str, ...]:
    value: Any = text.split(",")
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            value = read(text)
            break
    if isinstance(value, dict):
        numbered = value if all(isinstance(name, str) for name in value.values()) else {n: name for name, n in value.items()}
        by_number = {int(number): name for number, name in numbered.items() if re.fullmatch("[0-9]{1,4}", str(number))}
        value = [by_number.get(number) for number in range(len(value))]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        return ()
    return tuple(name.strip() for name in value)


def read_keras_metadata(path: Path) -> ModelMetadata | None:
    """Read the metadata of a ``.h5`` or ``.keras`` file; None if it has none.

    Raises:
        ModelError: the file or its metadata cannot be read.
        OSError: the same, for an HDF5 file.
    """
    try:
        text = _keras_metadata_text(path)
    except OSError:
        raise
    except Exception as error:  # damaged archives raise almost anything
        raise ModelError(f"{path}: not a Keras model file (neither HDF5 nor a .keras archive)") from error
    return None if text is None else ModelMetadata.from_json(text, path)


def plain_archive(content: bytes) -> bytes:
    """Reduce a ``.keras`` archive to the three members that Keras reads; the metadata move into Keras's own.

    Keras unpacks an archive with more members into the temporary folder, to which a foreign model's process has no access.

    Args:
        content: the archive. One that is damaged, too large or contains pickles is returned unchanged and rejected later.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as source:
            names = set(source.namelist())
            is_plain = names <= {_CONFIGURATION, _KERAS_METADATA, _WEIGHTS}
            sizes = {member.filename: member.file_size for member in source.infolist()}
            is_too_large = sum(sizes.values()) > MAX_MODEL_BYTES or sizes.get(_MEMBER, 0) > _MAX_BYTES
            if is_plain or is_too_large or has_pickle(names):
                return content
            metadata = json.loads(source.read(_KERAS_METADATA)) if _KERAS_METADATA in names else {}
            if _MEMBER in names:
                metadata[KEY] = source.read(_MEMBER).decode()
            plain = io.BytesIO()
            with zipfile.ZipFile(plain, "w") as target:
                target.writestr(_KERAS_METADATA, json.dumps(metadata))
                for name in names & {_CONFIGURATION, _WEIGHTS}:
                    target.writestr(name, source.read(name))
            return plain.getvalue()
    except Exception:  # damaged archives raise almost anything
        return content


def _keras_metadata_text(path: Path) -> str | None:
    if is_archive(path):
        with zipfile.ZipFile(path) as archive:
            if _MEMBER not in archive.namelist():
                text = json.loads(archive.read(_KERAS_METADATA)).get(KEY) if _KERAS_METADATA in archive.namelist() else None
                return None if text is None else str(text)
            if archive.getinfo(_MEMBER).file_size > _MAX_BYTES:
                raise ValueError(f"{_MEMBER} is too large")
            return archive.read(_MEMBER).decode()
    import h5py

    with h5py.File(path, "r") as file:
        value = file.attrs.get(KEY)
        return None if value is None else str(value)


def write_keras_metadata(path: Path, metadata: ModelMetadata) -> None:
    """Add metadata to a ``.h5`` or ``.keras`` file saved by Keras; Keras can still read the file."""
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
