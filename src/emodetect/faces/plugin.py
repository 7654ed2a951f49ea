"""Face detectors of plug-in packages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Protocol

import numpy as np

from emodetect.errors import BackendError, BackendUnavailableError, first_line
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.types import Box, Detection, Image


class SimpleDetector(Protocol):
    """Interface of a face detector of a plug-in package."""

    def detect(self, image: Image) -> Iterable[Detection]:
        """Find faces in a picture.

        Args:
            image: uint8 (height, width, 3) BGR; must not be changed.

        Returns:
            The faces, in any order. A `Detection` has a box in pixels and a confidence; at 1 a single detection confirms a
            face in a clip. Its landmarks, float32 (6, 2), may be None.
        """


class PluginDetector:
    """Adapts a plug-in's detector, which runs in this process.

    Args:
        point: the entry point; its object is imported and called.
        min_face: minimum face size; smaller detections are dropped.

    Attributes:
        min_face: as given.
        is_certain: False.

    Raises:
        BackendUnavailableError: the plug-in cannot be imported, fails, or has no method ``detect``.
    """

    is_certain = False

    def __init__(self, point: EntryPoint, *, min_face: MinFace = DetectorSettings.min_face) -> None:
        self.min_face, self._name = min_face, point.name
        try:
            self._detector: SimpleDetector = point.load()()
        except Exception as error:  # plug-ins may raise anything
            raise BackendUnavailableError(f"the detector {point.name} cannot be used: {first_line(error)}") from error
        if not callable(getattr(self._detector, "detect", None)):
            raise BackendUnavailableError(f"the detector {point.name} cannot be used: it has no method detect")

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR, the most confident first.

        Raises:
            BackendError: the plug-in fails, or returns something other than detections.
        """
        height, width = image.shape[:2]
        min_height = self.min_face.pixels(height)
        try:
            found = [_checked(detection) for detection in self._detector.detect(image)]
        except Exception as error:  # plug-ins may raise anything
            raise BackendError(f"the detector {self._name} fails: {first_line(error)}") from error
        clipped = (replace(one, box=one.box.clipped(width, height)) for one in found if one.box.height >= min_height)
        return sorted((one for one in clipped if one.box.width and one.box.height), key=lambda one: (-one.confidence, one.box.x))

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Find faces, as `detect`."""
        return self.detect(image)

    def tracker(self) -> FaceTracker:
        """Create a tracker that confirms a face once its summed confidence reaches 1."""
        return FaceTracker()


def _checked(detection: Detection) -> Detection:
    """Convert a detection to plain numbers.

    Raises:
        TypeError, ValueError: it is no valid detection.
    """
    if not isinstance(detection, Detection) or not isinstance(detection.box, Box):
        raise TypeError(f"expected a Detection, got {type(detection).__name__}")
    sides = (detection.box.x, detection.box.y, detection.box.width, detection.box.height)
    if not all(math.isfinite(number) for number in (*sides, detection.confidence)):
        raise ValueError(f"a number of {detection} is not finite")
    landmarks = None if detection.landmarks is None else np.asarray(detection.landmarks, np.float32)
    if landmarks is not None and (landmarks.shape != (6, 2) or not np.isfinite(landmarks).all()):
        raise ValueError(f"expected finite landmarks of shape (6, 2), got {landmarks.shape}")
    return Detection(Box(*(round(float(side)) for side in sides)), float(detection.confidence), landmarks)
