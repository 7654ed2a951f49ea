"""Face detection with OpenCV's Haar cascade (Viola and Jones 2001, Lienhart and Maydt 2002)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import BackendUnavailableError, ModelError
from emodetect.faces.boxes import intersection_over_smaller
from emodetect.types import Box, Detection

CASCADE_NAME = "haarcascade_frontalface_default.xml"

_WINDOW = 24
"""Side of the cascade's window: the smallest face it can see, pixels of the reduced picture."""

_NESTED = 0.6
"""Share of the smaller of two boxes that lies in the other from which both are taken for one face."""


class FaceDetector(Protocol):
    """Anything that finds faces in a gray picture."""

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Detection]:
        """Find faces in uint8 (height, width); the surest first."""


@dataclass(frozen=True)
class MinFace:
    """The smallest face worth finding: in pixels, or as a share of the picture's height where ``relative``."""

    value: float
    relative: bool

    def pixels(self, height: int) -> float:
        """The smallest face's height in a picture of this height, pixels."""
        return self.value * height if self.relative else self.value


class HaarDetector:
    """Scans a picture that is reduced so far that the smallest wanted face just fills the cascade's window.

    The reduction saves time and, by smoothing, most false boxes: on the development clip (115 frames of one person
    among out-of-focus lights; scale factor 1.1, five neighbours) full size gave 30 false boxes, half size 5,
    with 112 and 110 faces found.

    Args:
        cascade: cascade file; None for the one that comes with emodetect.
        scale_factor: step between the sizes that are looked at, above 1.
        min_neighbors: how many overlapping windows must agree.
        min_face: smallest face to look for; smaller ones cost time and bring false boxes.

    Raises:
        ModelError: the cascade file is missing or not a cascade.
        BackendUnavailableError: the installed OpenCV has no cascade classifier.
    """

    def __init__(
        self,
        cascade: Path | None = None,
        *,
        scale_factor: float = 1.1,
        min_neighbors: int = 5,
        min_face: MinFace = MinFace(0.05, relative=True),
    ) -> None:
        if not hasattr(cv2, "CascadeClassifier"):
            raise BackendUnavailableError(
                f"OpenCV {cv2.__version__} has no cascade classifier; install one that has: pip install 'opencv-python<5'"
            )
        path = cascade or default_cascade()
        if not path.is_file():
            raise ModelError(f"{path}: no such cascade file")
        try:
            self._cascade = cv2.CascadeClassifier(str(path))
        except (cv2.error, SystemError):
            self._cascade = cv2.CascadeClassifier()
        if self._cascade.empty():
            raise ModelError(f"{path}: not a cascade that OpenCV can read; it takes cascades trained by OpenCV, as XML")
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors
        self._min_face = min_face

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Detection]:
        """Find faces in uint8 (height, width); the surest first, of nested boxes only the surest.

        Flat pictures and pictures smaller than a face give an empty list.
        """
        height, width = gray.shape
        if min(height, width) < 2:
            return []
        smallest = max(self._min_face.pixels(height), 1.0)
        scale = min(1.0, _WINDOW / smallest)
        reduced = gray
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            reduced = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        side = max(_WINDOW, math.floor(smallest * scale))
        found, neighbors = self._cascade.detectMultiScale2(
            reduced, scaleFactor=self._scale_factor, minNeighbors=self._min_neighbors, minSize=(side, side)
        )
        detections = []
        for (x, y, w, h), count in zip(np.reshape(found, (-1, 4)) / scale, neighbors, strict=True):
            box = Box(round(float(x)), round(float(y)), round(float(w)), round(float(h)))
            detections.append(Detection(box.clipped(width, height), int(count)))
        return _without_nested(sorted(detections, key=lambda found: found.neighbors, reverse=True))


def default_cascade() -> Path:
    """The frontal-face cascade that comes with emodetect: in the installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "haarcascades", package.parents[1] / "haarcascades"):
        if (folder / CASCADE_NAME).is_file():
            return folder / CASCADE_NAME
    raise ModelError(f"{package / 'haarcascades' / CASCADE_NAME}: missing; install emodetect again")


def _without_nested(detections: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for detection in detections:
        overlaps = intersection_over_smaller([detection.box], [other.box for other in kept])
        if not (overlaps > _NESTED).any():
            kept.append(detection)
    return kept
