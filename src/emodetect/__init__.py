"""Facial emotion recognition in photos, clips and live video.

>>> import emodetect
>>> for face in emodetect.analyze("examples/astronaut.jpg").readings:
...     print(face.scores.dominant, f"{face.scores.confidence:.0%}")
happy 100%
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from emodetect.system.environment import prepare

if TYPE_CHECKING:
    from emodetect.api import analyze, classify_faces, draw, open_pipeline, stream
    from emodetect.errors import EmodetectError
    from emodetect.pipeline import EmotionPipeline
    from emodetect.sinks.records import to_dataframe
    from emodetect.sources.pictures import load_image
    from emodetect.types import Box, Emotion, EmotionScores, FaceReading, Frame, FrameResult

prepare()

# Imported on first use, so that `emodetect --help` does not load NumPy and OpenCV.
_MODULES = {
    "analyze": "emodetect.api",
    "classify_faces": "emodetect.api",
    "draw": "emodetect.api",
    "load_image": "emodetect.sources.pictures",
    "to_dataframe": "emodetect.sinks.records",
    "open_pipeline": "emodetect.api",
    "stream": "emodetect.api",
    "EmodetectError": "emodetect.errors",
    "EmotionPipeline": "emodetect.pipeline",
    "Box": "emodetect.types",
    "Emotion": "emodetect.types",
    "EmotionScores": "emodetect.types",
    "FaceReading": "emodetect.types",
    "Frame": "emodetect.types",
    "FrameResult": "emodetect.types",
}

__all__ = [
    "Box",
    "EmodetectError",
    "Emotion",
    "EmotionPipeline",
    "EmotionScores",
    "FaceReading",
    "Frame",
    "FrameResult",
    "analyze",
    "classify_faces",
    "draw",
    "load_image",
    "open_pipeline",
    "stream",
    "to_dataframe",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("emodetect")
    if name not in _MODULES:
        raise AttributeError(f"module 'emodetect' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
