"""Face location: detector, verifier and tracker combined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emodetect.errors import UsageError
from emodetect.faces.alignment import aligned_crop, roll
from emodetect.faces.boxes import crop, intersection_over_union
from emodetect.faces.detector import FaceDetector, MinFace
from emodetect.faces.landmarks import LandmarkRefiner
from emodetect.faces.region import Region
from emodetect.faces.schedule import SCAN_EVERY, DetectionMode, DetectionSchedule
from emodetect.faces.tracker import SAME_FACE, FacePredictor, FaceTracker, Place, TrackState
from emodetect.faces.verifier import FaceVerifier
from emodetect.stopwatch import Stopwatch
from emodetect.types import Box, Detection, Face, Frame, Image

_MIN_ROLL = 10.0
"""Minimum roll, degrees, at which a face in a clip is refined, which costs as much as the detection of all faces. Upright faces
are not refined. With 22 people turned in steps of 5 degrees, the error at rolls of 15 and 20 degrees is 0.9 degrees (median; 2.3
at the 90th percentile). With a minimum of 15 degrees it is 1.3 (5.3)."""


_DOUBTFUL = 0.93
"""Confidence of a face with landmarks below which the verifier is stricter (a BlazeFace score of 0.65). It then rejects 91%
instead of 65% of the network's false detections, and 0.3% more of the true faces. The cascade's confidence tells less."""


@dataclass(frozen=True)
class LocatedFaces:
    """Located faces of a frame.

    Attributes:
        faces: the confirmed faces.
        seen: all possible face regions, as in `FrameResult`.
    """

    faces: tuple[Face, ...]
    seen: tuple[Box, ...]

    def moved(self, x: int, y: int) -> LocatedFaces:
        """Translate all boxes by (x, y) pixels."""
        return LocatedFaces(tuple(face.moved(x, y) for face in self.faces), tuple(box.moved(x, y) for box in self.seen))

    def scaled(self, old: tuple[int, int], new: tuple[int, int]) -> LocatedFaces:
        """Scale all boxes and landmarks from an image of one width and height to the same image of another size, pixels."""
        across, down = new[0] / old[0], new[1] / old[1]

        def scale(box: Box) -> Box:
            left, top = round(box.x * across), round(box.y * down)
            return Box(left, top, round(box.width * across), round(box.height * down)).clipped(*new)

        def scaled_face(face: Face) -> Face:
            landmarks = None if face.landmarks is None else face.landmarks * np.asarray((across, down), np.float32)
            return replace(face, box=scale(face.box), landmarks=landmarks)

        return LocatedFaces(tuple(map(scaled_face, self.faces)), tuple(map(scale, self.seen)))


class FaceLocator:
    """Finds the faces in frames, and schedules detection.

    With a tracker, frames must come in order from one source. Faces then keep their ids, and quick detections replace scans
    between full ones. Without a tracker each frame is independent, and its faces are numbered from 1, left to right.

    Args:
        detector: finds faces.
        verifier: rejects false detections, or None.
        refiner: refines landmarks, or None. With a tracker it refines only those of faces with a large roll.
        tracker: tracks faces, or None.
        scan_every: with a tracker, seconds between full scans; 0 scans every frame, so that no face is found late.
        region: region of interest for detection, or None for the whole image; boxes refer to the whole image.
    """

    def __init__(
        self,
        detector: FaceDetector,
        *,
        verifier: FaceVerifier | None = None,
        refiner: LandmarkRefiner | None = None,
        tracker: FaceTracker | None = None,
        scan_every: float = SCAN_EVERY,
        region: Region | None = None,
    ) -> None:
        self._detector, self._verifier, self._refiner = detector, verifier, refiner
        self._tracker, self._region = tracker, region
        self._schedule = DetectionSchedule(scan_every if tracker and not detector.is_certain else 0)
        self._time, self._shape = -math.inf, (0, 0)
        self._applied = detector.min_face

    @property
    def detector(self) -> FaceDetector:
        """The face detector; may be changed at any time. A new one gets the minimum face size of the old one."""
        return self._detector

    @detector.setter
    def detector(self, detector: FaceDetector) -> None:
        detector.min_face = self._detector.min_face
        self._detector = detector

    @property
    def min_face(self) -> MinFace:
        """Minimum face size; may be changed at any time, also while another thread is detecting.

        Known faces that are smaller than a new minimum disappear.
        """
        return self._detector.min_face

    @min_face.setter
    def min_face(self, smallest: MinFace) -> None:
        self._detector.min_face = smallest

    @property
    def is_certain(self) -> bool:
        """Whether detections are always faces, as for whole pictures."""
        return self._detector.is_certain

    @property
    def tracks(self) -> bool:
        """Whether faces are tracked, so that frames must come in order."""
        return self._tracker is not None

    @property
    def has_verifier(self) -> bool:
        """Whether false detections are rejected by a verifier."""
        return self._verifier is not None

    @property
    def full_scans(self) -> int:
        """Number of scans at all levels so far."""
        return self._schedule.full_scans

    def locate(self, frame: Frame, watch: Stopwatch | None = None) -> LocatedFaces:
        """Find the faces of a frame.

        Args:
            frame: the frame; with a tracker, the next one of its source.
            watch: records the laps "find", "verify" and "track" of the stages that run.

        Raises:
            UsageError: the region is not inside the image, or is smaller than a face.
            ValueError: with a tracker, the timestamp is not after the previous one; equal is allowed if every frame is scanned.
        """
        watch = watch or Stopwatch()
        if self._tracker is not None:
            self._follow(frame, self._tracker)
        if self._region is None:
            return self._locate(frame, watch)
        box = self._region.box((frame.image.shape[1], frame.image.shape[0]))
        smallest = 1 if self.is_certain else self.min_face.found_from(box.height)
        if min(box.width, box.height) < smallest:
            found = f"{box.width} x {box.height} pixels hold no face; the smallest that is looked for there has {smallest:g}"
            raise UsageError(f"`region`: {found} (`min_face`)", parameter="region")
        part = replace(frame, image=crop(frame.image, box))
        return self._locate(part, watch).moved(box.x, box.y)

    def predictor(self, timestamp: float) -> FacePredictor:
        """Predictor of the faces shown at this time, seconds; empty without a tracker."""
        return self._tracker.predictor(timestamp) if self._tracker else FacePredictor()

    def _follow(self, frame: Frame, tracker: FaceTracker) -> None:
        """Check that the timestamp is after the previous one, and reset the tracker if the image size has changed."""
        stands_still = frame.timestamp == self._time and not self._schedule.scans_always
        if frame.timestamp < self._time or stands_still:
            times = f"expected a timestamp after {self._time:g} s, got {frame.timestamp:g} s"
            raise ValueError(f"frame {frame.index}: {times}; faces are followed in frames that come in order")
        if frame.image.shape[:2] != self._shape:
            tracker.clear()
            self._schedule.clear()
        self._time, self._shape = frame.timestamp, frame.image.shape[:2]

    def _locate(self, frame: Frame, watch: Stopwatch) -> LocatedFaces:
        tracker, size = self._tracker, (frame.image.shape[1], frame.image.shape[0])
        if tracker is not None and self._applied != (smallest := self.min_face):
            self._applied = smallest
            tracker.remove_smaller(smallest.pixels(size[1]))
        places = tracker.places(frame.timestamp) if tracker else ()
        mode = self._schedule.next(frame.timestamp, places)
        if tracker is not None and mode is DetectionMode.NONE:
            faces = tracker.faces(frame.timestamp, size)
            watch.lap("track")
            return LocatedFaces(faces, _boxes(places))
        if mode is DetectionMode.FULL:
            detections = self._detector.detect(frame.image)
        else:
            known = [place.box for place in places if place.state is not TrackState.REMEMBERED]
            detections = self._detector.detect_quick(frame.image, known)
        if self._refiner is not None:
            min_roll = _MIN_ROLL if tracker else 0.0
            detections = [_refined(frame.image, one, self._refiner, min_roll) for one in detections]
        watch.lap("find")
        found = _boxes(detections)
        if self._verifier is not None:
            detections = _verified(frame.image, detections, places, self._verifier)
            watch.lap("verify")
        if tracker is None:
            ordered = sorted(detections, key=lambda detection: (detection.box.x, detection.box.y))
            faces = tuple(Face(one.box, number, one.landmarks) for number, one in enumerate(ordered, start=1))
            return LocatedFaces(faces, found)
        faces = tracker.update(detections, frame.timestamp, size)
        watch.lap("track")
        return LocatedFaces(faces, (*found, *_boxes(tracker.places(frame.timestamp))))


def _boxes(found: Sequence[Detection] | Sequence[Place]) -> tuple[Box, ...]:
    return tuple(one.box for one in found)


def _refined(image: Image, found: Detection, refiner: LandmarkRefiner, min_roll: float) -> Detection:
    """Refine the landmarks of a face whose roll is at least ``min_roll`` degrees."""
    angle = roll(found.landmarks)
    return refiner.refine(image, found) if angle is not None and abs(angle) >= min_roll else found


def _verified(image: Image, detections: Sequence[Detection], places: Sequence[Place], verifier: FaceVerifier) -> list[Detection]:
    """Remove new detections that the verifier rejects; faces that are shown already are not verified again."""
    shown = [place.box for place in places if place.state in (TrackState.SEEN, TrackState.MISSED)]
    overlaps = intersection_over_union([found.box for found in detections], shown)
    unknown = [found for found, row in zip(detections, overlaps, strict=True) if not (row >= SAME_FACE).any()]
    doubtful = [found.landmarks is not None and found.confidence < _DOUBTFUL for found in unknown]
    answers = verifier.are_faces([aligned_crop(image, found) for found in unknown], doubtful)
    refused = {found.box for found, is_face in zip(unknown, answers, strict=True) if not is_face}
    return [found for found in detections if found.box not in refused]
