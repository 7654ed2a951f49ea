"""From a frame to the faces in it: detector, verifier and tracker as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emodetect.errors import UsageError
from emodetect.faces.alignment import aligned_crop, roll
from emodetect.faces.boxes import crop, intersection_over_union
from emodetect.faces.detector import FaceDetector, MinFace
from emodetect.faces.landmarks import LandmarkRefiner
from emodetect.faces.region import Region
from emodetect.faces.schedule import SCAN_EVERY, Look, LookSchedule
from emodetect.faces.tracker import SAME_FACE, FaceTracker, Outlook, Place, Standing
from emodetect.faces.verifier import FaceVerifier
from emodetect.stopwatch import Stopwatch
from emodetect.types import Box, Detection, Face, Frame, Image

_LEANS = 10.0
"""Degrees from which on a face of a clip gets a second look, which costs as much as the first at all faces together. Upright
faces get none. Of 22 people turned in steps of 5 degrees, rolls of 15 and 20 are then wrong by 0.9 degrees (median; 2.3 at the
90th percentile). From 15 degrees on, it would be 1.3 and 5.3."""


_DOUBTFUL = 0.93
"""Confidence of a face with landmarks below which the verifier is stricter (a score of 0.65 of BlazeFace). It makes the verifier
refuse 91% of the network's false detections instead of 65%, and 0.3% more of true faces; the cascade's confidence tells less."""


@dataclass(frozen=True)
class Sighting:
    """Faces of a frame.

    Attributes:
        faces: those that are believed.
        seen: every place that may hold a face, as in `FrameResult`.
    """

    faces: tuple[Face, ...]
    seen: tuple[Box, ...]

    def moved(self, x: int, y: int) -> Sighting:
        """The same in a picture that has so many pixels more on the left and at the top."""
        return Sighting(tuple(face.moved(x, y) for face in self.faces), tuple(box.moved(x, y) for box in self.seen))


class FaceLocator:
    """Finds the faces of frames, and decides when to look for them.

    With a tracker the frames must come in order from one source, each face keeps its id, and between full scans the detector's
    quick looks are enough. Without one each frame stands alone, and its faces are numbered from 1 from left to right.

    Args:
        detector: finds faces.
        verifier: rejects false detections, or None.
        refiner: finds landmarks more exactly, or None: of all faces without a tracker, of those that lean far with one.
        tracker: follows faces, or None.
        scan_every: with a tracker, seconds between two full scans; 0 scans every frame, so that no face is found late.
        region: the part of each picture in which faces are looked for, or None for all of it; boxes are the whole picture's.
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
        self._schedule = LookSchedule(scan_every if tracker and not detector.is_certain else 0)
        self._time, self._shape = -math.inf, (0, 0)

    @property
    def detector(self) -> FaceDetector:
        """What finds faces; may be changed at any time. The new one gets the smallest face of the old one."""
        return self._detector

    @detector.setter
    def detector(self, detector: FaceDetector) -> None:
        detector.min_face = self._detector.min_face
        self._detector = detector

    @property
    def min_face(self) -> MinFace:
        """The smallest face to look for; may be changed at any time, also while another thread is looking."""
        return self._detector.min_face

    @min_face.setter
    def min_face(self, smallest: MinFace) -> None:
        self._detector.min_face = smallest

    @property
    def is_certain(self) -> bool:
        """Whether the detector's faces are beyond doubt, as where each whole picture is taken for one."""
        return self._detector.is_certain

    @property
    def tracks(self) -> bool:
        """Whether faces are followed, so that frames must come in order."""
        return self._tracker is not None

    @property
    def verifies(self) -> bool:
        """Whether false detections are rejected."""
        return self._verifier is not None

    @property
    def full_scans(self) -> int:
        """How often a picture was scanned at all levels."""
        return self._schedule.full_scans

    def locate(self, frame: Frame, watch: Stopwatch | None = None) -> Sighting:
        """Find the faces of a frame.

        Args:
            frame: the next one of its source, where there is a tracker.
            watch: gets the laps "find", "verify" and "track", of those that were needed.

        Raises:
            UsageError: the region does not lie in the picture, or no face fits in it.
            ValueError: there is a tracker, and the frame's time is not after that of the one before; where each frame is
                scanned it may be the same.
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

    def outlook(self, timestamp: float) -> Outlook:
        """Where the faces that are shown at this time, seconds, will be from now on; nowhere without a tracker."""
        return self._tracker.outlook(timestamp) if self._tracker else Outlook()

    def _follow(self, frame: Frame, tracker: FaceTracker) -> None:
        """See that a frame goes on where the last one ended; pictures of another size begin anew."""
        stands_still = frame.timestamp == self._time and not self._schedule.scans_always
        if frame.timestamp < self._time or stands_still:
            times = f"expected a timestamp after {self._time:g} s, got {frame.timestamp:g} s"
            raise ValueError(f"frame {frame.index}: {times}; faces are followed in frames that come in order")
        if frame.image.shape[:2] != self._shape:
            tracker.clear()
            self._schedule.clear()
        self._time, self._shape = frame.timestamp, frame.image.shape[:2]

    def _locate(self, frame: Frame, watch: Stopwatch) -> Sighting:
        tracker, size = self._tracker, (frame.image.shape[1], frame.image.shape[0])
        places = tracker.places(frame.timestamp) if tracker else ()
        look = self._schedule.next(frame.timestamp, places)
        if tracker is not None and look is Look.NONE:
            faces = tracker.faces(frame.timestamp, size)
            watch.lap("track")
            return Sighting(faces, _boxes(places))
        if look is Look.FULL:
            detections = self._detector.detect(frame.image)
        else:
            known = [place.box for place in places if place.standing is not Standing.REMEMBERED]
            detections = self._detector.look(frame.image, known)
        if self._refiner is not None:
            least = _LEANS if tracker else 0.0
            detections = [_refined(frame.image, one, self._refiner, least) for one in detections]
        watch.lap("find")
        found = _boxes(detections)
        if self._verifier is not None:
            detections = _verified(frame.image, detections, places, self._verifier)
            watch.lap("verify")
        if tracker is None:
            ordered = sorted(detections, key=lambda detection: (detection.box.x, detection.box.y))
            faces = tuple(Face(one.box, number, one.landmarks) for number, one in enumerate(ordered, start=1))
            return Sighting(faces, found)
        faces = tracker.update(detections, frame.timestamp, size)
        watch.lap("track")
        return Sighting(faces, (*found, *_boxes(tracker.places(frame.timestamp))))


def _boxes(found: Sequence[Detection] | Sequence[Place]) -> tuple[Box, ...]:
    return tuple(one.box for one in found)


def _refined(image: Image, found: Detection, refiner: LandmarkRefiner, least: float) -> Detection:
    """The face with better landmarks, if it leans at least so many degrees."""
    leans = roll(found.landmarks)
    return refiner.refine(image, found) if leans is not None and abs(leans) >= least else found


def _verified(image: Image, detections: Sequence[Detection], places: Sequence[Place], verifier: FaceVerifier) -> list[Detection]:
    """The detections without the new ones that are no faces; a face that is shown already is not verified again."""
    shown = [place.box for place in places if place.standing in (Standing.SEEN, Standing.MISSED)]
    overlaps = intersection_over_union([found.box for found in detections], shown)
    unknown = [found for found, row in zip(detections, overlaps, strict=True) if not (row >= SAME_FACE).any()]
    doubtful = [found.landmarks is not None and found.confidence < _DOUBTFUL for found in unknown]
    answers = verifier.are_faces([aligned_crop(image, found) for found in unknown], doubtful)
    refused = {found.box for found, is_face in zip(unknown, answers, strict=True) if not is_face}
    return [found for found in detections if found.box not in refused]
