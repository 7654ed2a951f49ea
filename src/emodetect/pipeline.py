"""The one way from a frame to its result."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np

from emodetect.backends.base import EmotionBackend
from emodetect.emotions.scorer import MAX_FAILURES, EmotionReader
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.faces.boxes import crop, intersection_over_union
from emodetect.faces.detector import FaceDetector
from emodetect.faces.search import SCAN_EVERY, FaceSearch
from emodetect.faces.tracker import SAME_FACE, FaceTracker, Place, Standing
from emodetect.faces.verifier import FaceVerifier
from emodetect.queues.prefetch import ahead
from emodetect.stopwatch import Stopwatch
from emodetect.types import Box, Detection, EmotionScores, Face, FaceReading, Frame, FrameResult, Image

_BATCH = 64
"""Crops that are classified at a time."""


class EmotionPipeline:
    """Wires detector, tracker, backend and smoother together.

    >>> with emodetect.open_pipeline() as pipeline:
    ...     face = emodetect.load_image("examples/astronaut.jpg")[66:160, 177:271]
    ...     print([reading.scores.dominant.value for reading in pipeline.classify_faces([face])])
    ['happy']

    With a tracker the frames must come in order from one source, each face keeps its id, and between full scans faces are
    looked for where they were. Without one every frame stands alone and its faces are numbered from left to right.

    Args:
        detector: finds faces.
        backend: reads emotions off them.
        verifier: refuses what the detector has found and is no face, or None.
        tracker: follows faces, or None.
        scan_every: with a tracker, seconds between two scans of the whole picture; 0 scans every frame, so that no face is
            found late.
        smoother: steadies scores, or None.
        uncertain_below: confidence under which a reading is marked uncertain; None for the backend's own threshold.
        region: the part of the picture in which faces are looked for, or None for all of it; boxes are the whole picture's.
        max_failures: in how many frames in a row the backend may not fail; before that, their faces have no scores.
    """

    def __init__(
        self,
        detector: FaceDetector,
        backend: EmotionBackend,
        *,
        verifier: FaceVerifier | None = None,
        tracker: FaceTracker | None = None,
        scan_every: float = SCAN_EVERY,
        smoother: ScoreSmoother | None = None,
        uncertain_below: float | None = None,
        region: Box | None = None,
        max_failures: int = MAX_FAILURES,
    ) -> None:
        self._search = FaceSearch(detector, every=scan_every if tracker else 0)
        self._verifier, self._tracker = verifier, tracker
        self._reader = EmotionReader(backend, smoother, max_failures=max_failures)
        self._uncertain_below = backend.uncertain_below if uncertain_below is None else uncertain_below
        self._region = region

    def analyze(self, frame: Frame, *, name: str | None = None) -> FrameResult:
        """Find, follow and read all faces of a frame.

        Args:
            frame: the next one of its source, where there is a tracker.
            name: what it is called in messages; None for its number.

        Raises:
            EmodetectError: the backend failed too often.
            TypeError: it is no frame.
        """
        return self._read(self._locate(frame), name)

    def analyze_all(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, FrameResult], None, None]:
        """Analyse frames in order, as `analyze` does one by one, with decoding and locating in threads of their own.

        Finding faces in one frame does not wait for the emotions in the one before. Close the iterator, if it is left early,
        to end the threads.

        Args:
            frames: read in a thread, a few ahead.

        Raises:
            EmodetectError: the source failed, or the backend too often; all threads have ended.
        """
        with ahead(frames) as decoded, ahead(map(self._locate, decoded)) as located:
            for found in located:
                yield found.frame, self._read(found)

    def classify_faces(self, crops: Iterable[Image]) -> Iterator[FaceReading]:
        """Read the emotions off faces that are cropped already, some at a time.

        Args:
            crops: uint8 (height, width, 3) BGR, one for each face.

        Yields:
            A reading for each crop, in order; its box is the whole crop, its ``track_id`` the crop's number, from 1.

        Raises:
            EmodetectError: the backend failed too often.
        """
        numbered = enumerate(crops, start=1)
        while batch := dict(islice(numbered, _BATCH)):
            faces = [Face(Box(0, 0, image.shape[1], image.shape[0]), number) for number, image in batch.items()]
            name = f"crops {faces[0].track_id} to {faces[-1].track_id}"
            scores = self._reader.read([*batch.values()], faces, 0.0, frame=name)
            yield from readings(faces, scores, self._uncertain_below)

    def _locate(self, frame: Frame) -> _Located:
        if not isinstance(frame, Frame):
            hint = "; Frame(image) makes one of a picture" if isinstance(frame, np.ndarray) else ""
            raise TypeError(f"expected a Frame, got {type(frame).__name__}{hint}")
        watch, part = Stopwatch(), frame
        if self._region is not None:
            part = replace(frame, image=crop(frame.image, self._region))
        sighting = locate(part, self._search, self._tracker, self._verifier, watch)
        if self._region is not None:
            sighting = sighting.moved(self._region.x, self._region.y)
        return _Located(frame, sighting, watch.laps_ms)

    def _read(self, found: _Located, name: str | None = None) -> FrameResult:
        frame, faces, watch = found.frame, found.sighting.faces, Stopwatch()
        crops = [crop(frame.image, face.box) for face in faces]
        watch.lap("crop")
        name = name or f"frame {frame.index}"
        scores = self._reader.read(crops, faces, frame.timestamp, frame=name, watch=watch)
        found_readings = readings(faces, scores, self._uncertain_below)
        return FrameResult(frame.index, frame.timestamp, found_readings, found.sighting.seen, found.timings_ms | watch.laps_ms)


@dataclass(frozen=True)
class Sighting:
    """What a frame shows.

    Attributes:
        faces: those that are believed.
        seen: every place that may hold a face, as in `FrameResult`.
    """

    faces: tuple[Face, ...]
    seen: tuple[Box, ...]

    def moved(self, x: int, y: int) -> Sighting:
        """The same in a picture that has so many pixels more on the left and at the top."""
        faces = (replace(face, box=replace(face.box, x=face.box.x + x, y=face.box.y + y)) for face in self.faces)
        return Sighting(tuple(faces), tuple(replace(box, x=box.x + x, y=box.y + y) for box in self.seen))


@dataclass(frozen=True)
class _Located:
    """A frame whose faces are known and not yet read."""

    frame: Frame
    sighting: Sighting
    timings_ms: dict[str, float]


def locate(
    frame: Frame,
    search: FaceSearch,
    tracker: FaceTracker | None,
    verifier: FaceVerifier | None = None,
    watch: Stopwatch | None = None,
) -> Sighting:
    """The faces of a frame: followed by the tracker, or, without one, numbered from 1 from left to right.

    A face that is shown already is not verified again.
    """
    watch = watch or Stopwatch()
    height, width = frame.image.shape[:2]
    places = tracker.places(frame.timestamp) if tracker else ()
    if tracker is not None and not search.is_due(frame.timestamp, places):
        faces = tracker.faces(frame.timestamp, (width, height))
        watch.lap("track")
        return Sighting(faces, _boxes(places))
    gray = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.uint8)
    watch.lap("gray")
    detections = search.find(gray, frame.timestamp, places)
    watch.lap("find")
    found = _boxes(detections)
    if verifier is not None:
        detections = _verified(frame.image, detections, places, verifier)
        watch.lap("verify")
    if tracker is None:
        boxes = sorted((detection.box for detection in detections), key=lambda box: (box.x, box.y))
        return Sighting(tuple(Face(box, number) for number, box in enumerate(boxes, start=1)), found)
    faces = tracker.update(detections, frame.timestamp, (width, height))
    watch.lap("track")
    return Sighting(faces, (*found, *_boxes(tracker.places(frame.timestamp))))


def _boxes(found: Sequence[Detection] | Sequence[Place]) -> tuple[Box, ...]:
    return tuple(one.box for one in found)


def _verified(image: Image, detections: Sequence[Detection], places: Sequence[Place], verifier: FaceVerifier) -> list[Detection]:
    """The detections without the new ones that are no faces."""
    shown = [place.box for place in places if place.standing in (Standing.SEEN, Standing.MISSED)]
    overlaps = intersection_over_union([found.box for found in detections], shown)
    unknown = [found for found, row in zip(detections, overlaps, strict=True) if not (row >= SAME_FACE).any()]
    answers = verifier.are_faces([crop(image, found.box) for found in unknown])
    refused = {found.box for found, is_face in zip(unknown, answers, strict=True) if not is_face}
    return [found for found in detections if found.box not in refused]


def readings(faces: Sequence[Face], scores: Mapping[int, EmotionScores], uncertain_below: float) -> tuple[FaceReading, ...]:
    """Faces with the scores that there are for them."""
    result = []
    for face in faces:
        known = scores.get(face.track_id)
        uncertain = known is None or known.confidence < uncertain_below
        result.append(FaceReading(face.box, face.track_id, known, uncertain, uncertain_below))
    return tuple(result)
