"""Face detection with OpenCV's Haar cascade (Viola and Jones 2001, Lienhart and Maydt 2002)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import BackendUnavailableError, ModelError
from emodetect.faces.boxes import without_nested
from emodetect.faces.cascade import default_cascade
from emodetect.faces.cascade_file import load_cascade, missing_classifier
from emodetect.faces.detector import WINDOW, DetectorSettings, MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.system.install_hints import OPENCV_CURE
from emodetect.text.suggestions import did_you_mean_file
from emodetect.types import Box, Detection, Image

_SURE = 2
"""Ratio of overlapping windows to ``min_neighbors`` at which a single detection confirms a face in a clip."""

_Gray = npt.NDArray[np.uint8]


class HaarDetector:
    """Scans an image that is reduced until the smallest wanted face just fills the cascade's window.

    The reduction saves time, and its smoothing removes most false boxes. On the development clip (115 frames of one person
    among out-of-focus lights; scale factor 1.1, five neighbors) full size gave 112 faces and 30 false boxes, half size 110 and 5.

    Args:
        cascade: a cascade file; None for the bundled one.
        scale_factor: ratio of consecutive face sizes in the scan, above 1.
        min_neighbors: minimum number of overlapping windows per face.
        min_face: minimum face size; smaller faces cost time and bring false boxes.

    Attributes:
        min_face: as given.
        is_certain: False.

    Raises:
        ModelError: the cascade file is missing or invalid; the bundled one is loaded by the first scan.
        BackendUnavailableError: the installed OpenCV has no cascade classifier.
    """

    is_certain = False

    def __init__(
        self,
        cascade: Path | None = None,
        *,
        scale_factor: float = DetectorSettings.scale_factor,
        min_neighbors: int = DetectorSettings.min_neighbors,
        min_face: MinFace = DetectorSettings.min_face,
    ) -> None:
        if missing := missing_classifier():
            raise BackendUnavailableError(f"{missing}; `detector` blazeface needs none, or {OPENCV_CURE}", parameter="detector")
        if cascade is not None and not cascade.is_file():
            raise ModelError(f"{cascade}: no such cascade file{did_you_mean_file(cascade)}")
        self._load = load_cascade(cascade) if cascade else _own_cascade
        self._idle = [self._load()] if cascade else []  # the user's file is checked at once
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors
        self.min_face = min_face

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR, the most confident first; of nested boxes only the most confident.

        Uniform images and images smaller than a face give an empty list.
        """
        height, width = image.shape[:2]
        if min(height, width) < 2:
            return []
        smallest = max(self.min_face.pixels(height), 1.0)
        scale = min(1.0, WINDOW / smallest)
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        reduced = gray if scale == 1 else np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        across, down = width / size[0], height / size[1]
        found = []
        for x, y, w, h, neighbors in self._scan(reduced, max(WINDOW, math.floor(smallest * scale))) * (
            across,
            down,
            across,
            down,
            1,
        ):
            box = Box(round(float(x)), round(float(y)), round(float(w)), round(float(h)))
            found.append(Detection(box.clipped(width, height), float(neighbors) / (_SURE * self._min_neighbors)))
        return without_nested(found)

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Scan the whole image, as `detect`."""
        return self.detect(image)

    def tracker(self) -> FaceTracker:
        """Create a tracker that confirms a face after two detections, or after one with twice as many windows as required."""
        return FaceTracker()

    def _scan(self, picture: _Gray, smallest: int) -> npt.NDArray[np.float64]:
        """Scan for faces of at least this side: float64 (n, 5) of x, y, width, height, neighbors."""
        if min(picture.shape) < smallest:
            return np.empty((0, 5))
        # A classifier is not thread-safe. Each scanning thread takes one from a pool; with a lock, three of four threads would
        # wait.
        try:
            cascade = self._idle.pop()
        except IndexError:
            cascade = self._load()
        try:
            boxes, counts = cascade.detectMultiScale2(
                picture, self._scale_factor, self._min_neighbors, minSize=(smallest, smallest)
            )
        finally:
            self._idle.append(cascade)
        return np.column_stack([np.reshape(boxes, (-1, 4)), np.reshape(counts, -1)]).astype(np.float64)


def _own_cascade() -> cv2.CascadeClassifier:
    """Load the bundled cascade; it is not checked, which would double the time."""
    path = default_cascade()
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError):
        cascade = cv2.CascadeClassifier()
    if cascade.empty():
        raise ModelError(f"{path}: damaged; install emodetect again")
    return cascade
