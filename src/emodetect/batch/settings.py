"""Settings of a batch, and their fingerprint, which includes the models."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emodetect.backends.registry import RESERVED, BackendSettings, plugins
from emodetect.errors import ModelError, about
from emodetect.faces.detector import MinFace
from emodetect.media.pixel_limit import max_pixels
from emodetect.media.playlists import allows_playlists
from emodetect.settings.pipeline import PipelineSettings
from emodetect.sources.video import WHOLE, ClipPart
from emodetect.system.checksums import checksum, recorded_checksum

LIBRARIES = ("emodetect", "numpy", "onnxruntime", "opencv-python")
"""Packages whose versions are recorded."""


_GROUPS = ("clips", "photos", "part", "backend", "detector", "conventions")
"""Settings that consist of others."""

_NAMES = {"uncertain_below": "uncertain"}
"""Settings whose parameter is called otherwise."""

_SHOWN_DIGITS = 8
"""Digits of a checksum that tell it from others."""


@dataclass(frozen=True)
class BatchSettings:
    """Settings for reading inputs.

    Attributes:
        photos: pipeline settings of photos, which are independent.
        clips: pipeline settings of clips, with tracking.
        part: clip range and step.
    """

    photos: PipelineSettings
    clips: PipelineSettings
    part: ClipPart = WHOLE

    def as_dict(self) -> dict[str, Any]:
        """Everything that affects results, as JSON values: settings, limits of the process, versions and checksums.

        Models are identified by their checksums, whatever folder they are in.

        Raises:
            ModelError: the model file does not exist.
            OSError: a file cannot be read.
        """
        return {
            "version": version("emodetect"),
            "models": model_checksums(self.clips),
            "photos": _plain(_with_files(self.photos, os.path.basename)),
            "clips": _plain(_with_files(self.clips, os.path.basename)),
            "part": _plain(self.part),
            "max_pixels": max_pixels(),
            "allow_playlists": allows_playlists(),
        }

    def absolute(self) -> BatchSettings:
        """The settings with absolute paths of models, for workers and later runs in other folders."""
        return replace(self, photos=_with_files(self.photos, os.path.abspath), clips=_with_files(self.clips, os.path.abspath))


def is_model_file(model: str) -> bool:
    """Whether a model is a file, and not a name that the backend knows."""
    return model not in RESERVED and os.path.isfile(model)


def _with_files(settings: PipelineSettings, change: Callable[[str], str]) -> PipelineSettings:
    """Change the paths of model files."""
    backend, detector = settings.backend, settings.detector
    if backend.model is not None and is_model_file(backend.model):
        backend = replace(backend, model=change(backend.model))
    if detector.cascade is not None:
        detector = replace(detector, cascade=Path(change(str(detector.cascade))))
    return replace(settings, backend=backend, detector=detector)


def fingerprint(settings: Mapping[str, Any]) -> str:
    """SHA-256 of the result of `BatchSettings.as_dict`, in hexadecimal."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Compare two records of `BatchSettings.as_dict`.

    Yields:
        What differs, its old value and its new one; parameters are in backquotes, as in the messages of errors.
    """
    named: set[str] = set()
    for kind in ("clips", "photos"):
        before, after = ({**record, "photos": {}, "clips": record.get(kind, {})} for record in (old, new))
        values, others = dict(_parameters(before)), dict(_parameters(after))
        for name in sorted((values.keys() | others.keys()) - named):
            if values.get(name) != others.get(name):
                named.add(name)
                yield f"`{name}`", _words(values.get(name)), _words(others.get(name))
    files, new_files = old.get("models", {}), new.get("models", {})
    for name in sorted(files.keys() | new_files.keys()):
        if files.get(name) != new_files.get(name):
            was, now = (str(one.get(name))[:_SHOWN_DIGITS] for one in (files, new_files))
            yield f"the model file {name}", was, now
    if old.get("version") != new.get("version"):
        yield "emodetect", _words(old.get("version")), _words(new.get("version"))


def _parameters(record: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a record by the names of their parameters."""
    for key, value in record.items():
        if key in _GROUPS and isinstance(value, Mapping):
            yield from _parameters(value, key)
        elif key not in ("version", "models"):
            yield _NAMES.get(key) or (group if key == "name" else key), value


def _words(value: Any) -> str:
    """A value as users write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ",".join(f"{number:g}" for number in value.values() if not isinstance(number, bool))
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "the default" if value is None else str(value)


def model_checksums(settings: PipelineSettings) -> dict[str, str]:
    """Identify the models in use: by the SHA-256 of their files, or the version of their package.

    Raises:
        ModelError: the model file does not exist.
        OSError: a file cannot be read.
    """
    from emodetect.backends.onnx_session import EMBEDDED
    from emodetect.faces import models
    from emodetect.faces.cascade import default_cascade

    detectors = Path(str(models.__file__)).parent.glob("*.onnx")
    cascade = settings.detector.cascade or default_cascade()
    return {
        "emotions": _backend_checksum(settings.backend, EMBEDDED),
        "embedded": recorded_checksum(EMBEDDED),
        "cascade": checksum(cascade),
        **{path.stem: recorded_checksum(path) for path in sorted(detectors)},
    }


def _backend_checksum(backend: BackendSettings, embedded: Path) -> str:
    from emodetect.backends.cnn import model_path

    if backend.model is not None and is_model_file(backend.model):
        return checksum(Path(backend.model))
    if backend.name == "cnn":
        if backend.model not in (None, *RESERVED):
            with about("model", ModelError):
                model_path(backend.model)
        return recorded_checksum(embedded)
    if backend.name == "deepface":
        return f"deepface {version('deepface')}"
    point = plugins().get(backend.name)
    return f"{point.dist.name} {point.dist.version}" if point is not None and point.dist is not None else backend.name


def _plain(value: Any) -> Any:
    """Convert to a JSON value; infinite numbers become text."""
    if isinstance(value, MinFace):
        return str(value)
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
