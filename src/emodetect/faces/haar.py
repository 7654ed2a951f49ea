"""Face detection with OpenCV's Haar cascade (Viola and Jones 2001, Lienhart and Maydt 2002)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import BackendUnavailableError, ModelError
from emodetect.faces.boxes import without_nested
from emodetect.faces.cascade import default_cascade
from emodetect.faces.cascade_file import load_cascade
from emodetect.faces.detector import WINDOW, DetectorSettings, MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.system.install_hints import OPENCV_CURE
from emodetect.text.suggestions import did_you_mean_file
from emodetect.types import Box, Detection

_SIZES = 0.7, 1.4
"""Smallest and largest face that is looked for near a known box, as a share of its side: wide enough for all windows that
agree on one face in a full scan; 0.8 and 1.25 lose an eighth of them, mostly small ones, and boxes come out 3 % too large."""

_GLANCE_FACTOR, _GLANCE_NEIGHBORS = 1.2, 1
"""A quick look over the picture: half as many sizes at half the cost, and a single repeated window is worth a closer look."""

_COVERED = 0.7
"""Share of a known face's side that is painted over before a quick look: without eyes and nose nothing of it is found again."""

_SURE = 2
"""In clips a face is believed at once where so many times the windows that must agree do."""

_Gray = npt.NDArray[np.uint8]
_Rows = npt.NDArray[np.float64]


class HaarDetector:
    """Scans a picture that is reduced so far that the smallest wanted face just fills the cascade's window.

    The reduction saves time and, by smoothing, most false boxes: on the development clip (115 frames of one person
    among out-of-focus lights; scale factor 1.1, five neighbors) full size gave 30 false boxes, half size 5,
    with 112 and 110 faces found.

    Args:
        cascade: cascade file; None for the one that comes with emodetect.
        scale_factor: step between the sizes that are looked at, above 1.
        min_neighbors: how many overlapping windows must agree.
        min_face: smallest face to look for; smaller ones cost time and bring false boxes.

    Attributes:
        min_face: as given.
        is_certain: False.

    Raises:
        ModelError: the cascade file is missing or not a cascade.
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
        if not hasattr(cv2, "CascadeClassifier"):
            raise BackendUnavailableError(f"OpenCV {cv2.__version__} has no cascade classifier: {OPENCV_CURE}")
        if cascade is not None and not cascade.is_file():
            raise ModelError(f"{cascade}: no such cascade file{did_you_mean_file(cascade)}")
        self._load = load_cascade(cascade) if cascade else _own_cascade
        self._idle = [self._load()]
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors
        self.min_face = min_face

    def detect(self, gray: _Gray) -> list[Detection]:
        """Find faces in uint8 (height, width); the surest first, of nested boxes only the surest.

        Flat pictures and pictures smaller than a face give an empty list.
        """
        if min(gray.shape) < 2:
            return []
        scale, smallest = self._reduction(gray)
        reduced = _resized(gray, scale)
        return self._detections(self._scan(reduced, smallest, self._scale_factor, self._min_neighbors), gray, reduced)

    def detect_near(self, gray: _Gray, boxes: Sequence[Box], margin: float) -> list[Detection]:
        """Like `detect`, but only near these boxes and their sizes, which costs a tenth.

        It looks at regions as much reduced and at the same steps of size, so that as many windows agree on a face.
        """
        found: list[Detection] = []
        height, width = gray.shape
        for box in boxes:
            scale, smallest = self._reduction(gray)
            reach = round(margin * max(box.width, box.height))
            around = Box(box.x - reach, box.y - reach, box.width + 2 * reach, box.height + 2 * reach).clipped(width, height)
            region = gray[around.y : around.y + around.height, around.x : around.x + around.width]
            if min(region.shape) < 2:
                continue
            reduced = _resized(region, scale)
            low, high = (max(smallest, round(scale * share * max(box.width, box.height))) for share in _SIZES)
            rows = self._scan(reduced, low, self._scale_factor, self._min_neighbors, high)
            for detection in self._detections(rows, region, reduced):
                found.append(replace(detection, box=detection.box.moved(around.x, around.y)))
        return without_nested(found)

    def glance(self, gray: _Gray, known: Sequence[Box]) -> list[Box]:
        """Places in uint8 (height, width), other than the known faces, that are worth a closer look by `detect_near`.

        Twice as fast as `detect`, and more where many faces are known: most of the work is in looking at faces.
        """
        if min(gray.shape) < 2:
            return []
        scale, smallest = self._reduction(gray)
        reduced = _resized(gray, scale).copy()
        for box in known:
            margin = (1 - _COVERED) / 2
            left, right = (max(0, round(scale * (box.x + share * box.width))) for share in (margin, 1 - margin))
            top, bottom = (max(0, round(scale * (box.y + share * box.height))) for share in (margin, 1 - margin))
            reduced[top:bottom, left:right] = cv2.mean(reduced[top:bottom, left:right])[0]
        rows = self._scan(reduced, smallest, max(self._scale_factor, _GLANCE_FACTOR), _GLANCE_NEIGHBORS)
        return [detection.box for detection in self._detections(rows, gray, reduced)]

    def tracker(self) -> FaceTracker:
        """A tracker that believes a face which is found twice, or by twice as many windows as must agree."""
        return FaceTracker()

    def _reduction(self, gray: _Gray) -> tuple[float, int]:
        """How far the picture is reduced, and the side of the smallest face then, pixels."""
        smallest = max(self.min_face.pixels(gray.shape[0]), 1.0)
        scale = min(1.0, WINDOW / smallest)
        return scale, max(WINDOW, math.floor(smallest * scale))

    def _scan(self, picture: _Gray, smallest: int, factor: float, neighbors: int, largest: int = 0) -> _Rows:
        """Faces with sides from smallest to largest (0: any): float64 (n, 5) of x, y, width, height, neighbors."""
        if min(picture.shape) < smallest:
            return np.empty((0, 5))
        # A classifier keeps what it is at in itself. Each thread that scans has one of its own meanwhile; a lock would let three
        # of four threads wait.
        try:
            cascade = self._idle.pop()
        except IndexError:
            cascade = self._load()
        try:
            boxes, counts = cascade.detectMultiScale2(
                picture, factor, neighbors, minSize=(smallest, smallest), maxSize=(largest, largest)
            )
        finally:
            self._idle.append(cascade)
        return np.column_stack([np.reshape(boxes, (-1, 4)), np.reshape(counts, -1)]).astype(np.float64)

    def _detections(self, rows: _Rows, gray: _Gray, reduced: _Gray) -> list[Detection]:
        """Faces of a reduced picture in pixels of the picture itself; of nested boxes only the surest."""
        height, width = gray.shape
        across, down = width / reduced.shape[1], height / reduced.shape[0]
        found = []
        for x, y, w, h, neighbors in rows * (across, down, across, down, 1):
            box = Box(round(float(x)), round(float(y)), round(float(w)), round(float(h)))
            found.append(Detection(box.clipped(width, height), float(neighbors) / (_SURE * self._min_neighbors)))
        return without_nested(found)


def _own_cascade() -> cv2.CascadeClassifier:
    """The one that comes with emodetect; it needs no second look, which takes as long as the loading."""
    path = default_cascade()
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError):
        cascade = cv2.CascadeClassifier()
    if cascade.empty():
        raise ModelError(f"{path}: damaged; install emodetect again")
    return cascade


def _resized(gray: _Gray, scale: float) -> _Gray:
    """The picture at this scale, at least a pixel wide and high; at scale 1 itself."""
    height, width = gray.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return gray
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
