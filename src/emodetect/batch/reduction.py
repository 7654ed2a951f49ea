"""Reduced decoding of large JPEG photos, which takes libjpeg a fraction of the time."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from emodetect.backends.registry import RESERVED
from emodetect.settings.pipeline import PipelineSettings
from emodetect.sources.images import REDUCTIONS
from emodetect.types import Face

_SEARCHED = 24.0
"""Minimum size of the smallest wanted face in the image that is searched, pixels: the cascade's window, and more than BlazeFace
needs."""

_CLASSIFIED, _CLASSIFIED_BY_OTHERS = 60.0, 240.0
"""Minimum size of a face in the image from which it is cropped, pixels, for the embedded network, whose input has 48, and for
others, whose input usually has 48 to 224."""


def full_size(content: npt.NDArray[Any]) -> tuple[int, int] | None:
    """Width and height of a JPEG as stored, by its header; None for other formats."""
    from PIL import Image

    if content[:2].tobytes() != b"\xff\xd8":
        return None
    try:
        with Image.open(io.BytesIO(content.data)) as picture:
            width, height = picture.size
            return width, height
    except Exception:  # Pillow raises many kinds for damaged files; decoding it reports the error
        return None


def reduction_for(size: tuple[int, int] | None, settings: PipelineSettings) -> int:
    """Largest reduction, 1, 2, 4 or 8, at which the smallest wanted face is still found.

    Args:
        size: width and height of the image, pixels, in any order; None if it cannot be reduced.
        settings: settings of the pipeline. Sizes in pixels refer to the full-size image, which is then not reduced.
    """
    smallest, region = settings.detector.min_face, settings.region
    in_pixels = not smallest.relative or (region is not None and not region.relative)
    if size is None or in_pixels or settings.detector.name == "none":
        return 1
    height = min(size) * (region.height if region is not None else 1.0)
    return _largest(smallest.pixels(round(height)), _SEARCHED)


def reduction_of_crops(faces: Sequence[Face], reduction: int, settings: PipelineSettings) -> int:
    """Largest reduction, up to that of the searched image, at which the found faces are still large enough for the backend.

    Args:
        faces: the faces in the searched image.
        reduction: the reduction of that image.
        settings: settings of the pipeline.
    """
    smallest = min((max(face.box.width, face.box.height) for face in faces), default=math.inf)
    is_embedded = settings.backend.name == "cnn" and settings.backend.model in (None, *RESERVED)
    return min(reduction, _largest(smallest * reduction, _CLASSIFIED if is_embedded else _CLASSIFIED_BY_OTHERS))


def upright_size(stored: tuple[int, int], reduced: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a JPEG after its orientation has been applied.

    Args:
        stored: width and height as stored, pixels.
        reduced: width and height of the decoded and possibly reduced image, pixels.
    """
    is_turned = (reduced[0] < reduced[1]) != (stored[0] < stored[1])
    return stored[::-1] if is_turned else stored


def _largest(face: float, min_size: float) -> int:
    """Largest reduction at which a face of this size, pixels, keeps at least this size."""
    return max((factor for factor in REDUCTIONS if face / factor >= min_size), default=1)
