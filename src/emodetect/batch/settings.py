"""Settings of a batch, and their fingerprint, which includes the models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emodetect.backends.registry import BackendSettings, plugins
from emodetect.media.pixel_limit import max_pixels
from emodetect.media.playlists import allows_playlists
from emodetect.settings.pipeline import PipelineSettings
from emodetect.sources.video import WHOLE, ClipPart
from emodetect.system.checksums import checksum, recorded_checksum

LIBRARIES = ("emodetect", "numpy", "onnxruntime", "opencv-python")
"""Packages whose versions are recorded."""


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
        """Everything that affects results, as JSON values: settings, limits of the process, versions and checksums."""
        return {
            "version": version("emodetect"),
            "models": model_checksums(self.clips),
            "photos": _plain(self.photos),
            "clips": _plain(self.clips),
            "part": _plain(self.part),
            "max_pixels": max_pixels(),
            "allow_playlists": allows_playlists(),
        }


def fingerprint(settings: Mapping[str, Any]) -> str:
    """SHA-256 of the result of `BatchSettings.as_dict`, in hexadecimal."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the settings that differ: each with its dotted name, the old value and the new one."""
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from differences(was, now, f"{before}{key}.")
        elif was != now:
            yield f"{before}{key}", was, now


def model_checksums(settings: PipelineSettings) -> dict[str, str]:
    """Identify the models in use: by the SHA-256 of their files, or the version of their package.

    Raises:
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
    if backend.model is not None and (path := Path(backend.model)).is_file():
        return checksum(path)
    if backend.name == "cnn":
        return recorded_checksum(embedded)
    if backend.name == "deepface":
        return f"deepface {version('deepface')}"
    point = plugins().get(backend.name)
    return f"{point.dist.name} {point.dist.version}" if point is not None and point.dist is not None else backend.name


def _plain(value: Any) -> Any:
    """Convert to a JSON value; infinite numbers become text."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
