"""The one way from a frame to its result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from emodetect.backends.base import EmotionBackend
from emodetect.faces.boxes import crop
from emodetect.faces.haar import FaceDetector
from emodetect.faces.search import FaceSearch
from emodetect.faces.tracker import FaceTracker
from emodetect.smoother import ScoreSmoother
from emodetect.types import EmotionScores, Face, FaceReading, Frame, FrameResult, Image


class EmotionPipeline:
    """Wires detector, tracker, backend and smoother together.

    With a tracker the frames must come in order from one source, each face keeps its id, and between full scans faces are
    looked for where they were. Without one every frame stands alone and its faces are numbered from left to right.

    Args:
        detector: finds faces.
        backend: reads emotions off them.
        tracker: follows faces, or None.
        smoother: steadies scores, or None.
        uncertain_below: confidence under which a reading is marked uncertain; None for the backend's own threshold.
    """

    def __init__(
        self,
        detector: FaceDetector,
        backend: EmotionBackend,
        *,
        tracker: FaceTracker | None = None,
        smoother: ScoreSmoother | None = None,
        uncertain_below: float | None = None,
    ) -> None:
        self._search = FaceSearch(detector) if tracker else FaceSearch(detector, every=0)
        self._backend = backend
        self._tracker, self._smoother = tracker, smoother
        self._uncertain_below = backend.uncertain_below if uncertain_below is None else uncertain_below

    def analyze(self, frame: Frame) -> FrameResult:
        """Find, follow and read all faces of a frame.

        Raises:
            EmodetectError: the backend failed.
        """
        started = time.perf_counter()
        faces = locate(frame, self._search, self._tracker)
        located = time.perf_counter()
        scores = read(self._backend, [crop(frame.image, face.box) for face in faces], faces, frame.timestamp, self._smoother)
        classified = time.perf_counter()
        timings = {"faces": 1000 * (located - started), "emotions": 1000 * (classified - located)}
        return FrameResult(frame.index, frame.timestamp, readings(faces, scores, self._uncertain_below), timings)


def locate(frame: Frame, search: FaceSearch, tracker: FaceTracker | None) -> tuple[Face, ...]:
    """The faces of a frame: followed by the tracker, or, without one, numbered from 1 from left to right."""
    gray = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.uint8)
    detections = search.find(gray, frame.timestamp, tracker.places(frame.timestamp) if tracker else ())
    if tracker is not None:
        height, width = gray.shape
        return tracker.update(detections, frame.timestamp, (width, height))
    boxes = sorted((detection.box for detection in detections), key=lambda box: (box.x, box.y))
    return tuple(Face(box, number) for number, box in enumerate(boxes, start=1))


def read(
    backend: EmotionBackend,
    crops: Sequence[Image],
    faces: Sequence[Face],
    timestamp: float,
    smoother: ScoreSmoother | None,
) -> dict[int, EmotionScores]:
    """Scores of these faces by track id, all of them classified in one batch."""
    if not faces:
        return {}
    result = {}
    for face, values in zip(faces, backend.classify(crops), strict=True):
        scores = EmotionScores(values)
        result[face.track_id] = smoother.update(face.track_id, scores, timestamp) if smoother else scores
    return result


def readings(faces: Sequence[Face], scores: Mapping[int, EmotionScores], uncertain_below: float) -> tuple[FaceReading, ...]:
    """Faces with the scores that there are for them."""
    result = []
    for face in faces:
        known = scores.get(face.track_id)
        result.append(FaceReading(face.box, face.track_id, known, known is None or known.confidence < uncertain_below))
    return tuple(result)
