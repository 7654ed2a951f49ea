"""Face tracking: constant ids from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from emodetect.faces.boxes import best_pairs, intersection_over_smaller, intersection_over_union
from emodetect.types import Box, Detection, Face

SAME_FACE = 0.3
"""Minimum intersection over union of two boxes of the same face."""

_SAME_PLACE = 1.0
"""Maximum distance of the centers, in sides of the larger box, at which a lost face is found again."""

_SAME_SIZE = 1.5
"""Maximum ratio of the two sizes."""

_COAST_SECONDS = 0.15
"""Seconds for which the motion of a face without a detection is extrapolated."""

_OCCLUSION_SECONDS = 1.0
"""Seconds for which the motion of a face that another one occludes is extrapolated."""

_POSITION_SECONDS = 1.0
"""Seconds after which the last position of a lost face is not used any more; its id is kept for longer."""

_MIN_EVIDENCE = 1 - 1e-6
"""Confidence, summed over consecutive detections, from which on a new face is shown; less than 1 to allow for rounding."""

_MAX_NESTING = 0.6
"""Intersection over the smaller area from which on a new box is part of a known face."""


class TrackState(Enum):
    """State of a track."""

    CANDIDATE = auto()
    """Not confirmed yet."""

    SEEN = auto()
    """Shown, and found by the last detection."""

    MISSED = auto()
    """Shown, and missed by the last detection."""

    REMEMBERED = auto()
    """Not shown any more; gets its id back if it is found again."""


@dataclass(frozen=True)
class Place:
    """Predicted place of a face.

    Attributes:
        box: predicted box; it may extend beyond the image.
        state: state of the track.
        speed: speed in face widths per second; infinite after a single detection.
        number: id of the face; None for a candidate.
    """

    box: Box
    state: TrackState
    speed: float = 0.0
    number: int | None = None


@dataclass
class Track:
    """A face over time: center x, y, size and landmarks, pixels, and the speed of the center, pixels per second.

    The first detection was at the time ``born``, the last one at ``seen``, with its center at ``seen_x`` and ``seen_y``. The
    current center is that of the time ``at``, which is later than ``seen`` if another face occludes this one.
    """

    x: float
    y: float
    width: float
    height: float
    seen: float
    evidence: float
    number: int | None = None
    speed_x: float = 0.0
    speed_y: float = 0.0
    landmarks: npt.NDArray[np.float32] | None = None
    at: float = field(init=False)
    born: float = field(init=False)
    seen_x: float = field(init=False)
    seen_y: float = field(init=False)

    def __post_init__(self) -> None:
        self.at, self.born, self.seen_x, self.seen_y = self.seen, self.seen, self.x, self.y

    @classmethod
    def from_box(cls, box: Box, seen: float, evidence: float = 0, number: int | None = None) -> Track:
        """Start a track from a detected box."""
        return cls(box.x + box.width / 2, box.y + box.height / 2, box.width, box.height, seen, evidence, number)

    def center(self, timestamp: float) -> tuple[float, float]:
        """Predicted center; it stops after some time without a detection."""
        elapsed = min(max(0.0, timestamp - self.at), _COAST_SECONDS)
        return self.x + self.speed_x * elapsed, self.y + self.speed_y * elapsed

    def box(self, timestamp: float) -> Box:
        """Predicted box, integer pixels."""
        return self._box(*self.center(timestamp))

    def last_box(self) -> Box:
        """Box of the last detection."""
        return self._box(self.seen_x, self.seen_y)

    def _box(self, x: float, y: float) -> Box:
        return Box(round(x - self.width / 2), round(y - self.height / 2), round(self.width), round(self.height))

    def landmarks_at(self, timestamp: float) -> npt.NDArray[np.float32] | None:
        """Landmarks translated to the predicted center."""
        if self.landmarks is None:
            return None
        x, y = self.center(timestamp)
        return self.landmarks + np.asarray((x - self.x, y - self.y), np.float32)


@dataclass(frozen=True)
class FacePredictor:
    """Immutable predictor of the shown faces; threads may share it."""

    _tracks: tuple[Track, ...] = ()

    def faces(self, timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """Predicted faces at this time, ordered by id.

        Args:
            timestamp: seconds; the motion is extrapolated for a while, then the faces stop.
            size: width and height of the image; boxes are clipped to it.
        """
        faces = [
            Face(track.box(timestamp).clipped(*size), track.number, track.landmarks_at(timestamp))
            for track in self._tracks
            if track.number is not None
        ]
        return tuple(sorted((f for f in faces if f.box.width and f.box.height), key=lambda face: face.track_id))


class FaceTracker:
    """Assigns detections to tracks, first by overlap, the largest first, then by distance.

    Tracks start and continue with different thresholds. A track is confirmed once the detector's confidence, summed over
    consecutive detections, reaches 1, since false detections rarely repeat. After that any detection continues it.

    Args:
        hold: seconds for which a missed face is still shown, at its last position.
        forget: seconds after which a missed face loses its id. Until then it gets the id back if a face of a similar size is
            found near its last position.
        position_smoothing: time constant of the smoothing of the center, seconds.
        speed_smoothing: time constant of the smoothing of the speed, seconds.
        size_smoothing: time constant of the smoothing of the size, seconds; larger, since a cascade's sizes are less exact.
    """

    def __init__(
        self,
        *,
        hold: float = 0.25,
        forget: float = 3.0,
        position_smoothing: float = 0.02,
        speed_smoothing: float = 0.15,
        size_smoothing: float = 0.1,
    ) -> None:
        self._hold, self._forget = hold, forget
        self._position_smoothing, self._speed_smoothing = position_smoothing, speed_smoothing
        self._size_smoothing = size_smoothing
        self._tracks: list[Track] = []
        self._last_update = 0.0
        self._next_number = 1

    def update(self, detections: Sequence[Detection], timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """Add the detections of a frame; returns the faces to show, ordered by id.

        Args:
            detections: the detections of the frame.
            timestamp: timestamp of the frame, seconds, not before the previous one.
            size: width and height of the image; boxes are clipped to it.
        """
        self._last_update = timestamp
        taken = self._match(detections, timestamp)
        for index, detection in enumerate(detections):
            if index not in taken and not self._is_part_of_known_face(detection, timestamp):
                self._start(detection, timestamp)
        self._tracks = [track for track in self._tracks if self._is_alive(track, timestamp)]
        for track in self._tracks:
            if track.number is None and track.evidence >= _MIN_EVIDENCE:
                track.number = self._next_number
                self._next_number += 1
        return self.faces(timestamp, size)

    def clear(self) -> None:
        """Remove all tracks; new faces get new ids."""
        self._tracks = []

    def remove_smaller(self, min_width: float) -> None:
        """Remove the tracks of faces that are less than ``min_width`` pixels wide."""
        self._tracks = [track for track in self._tracks if track.width >= min_width]

    def faces(self, timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """Predicted faces in a frame without detection, ordered by id.

        Args:
            timestamp: timestamp of the frame, seconds, not before the previous one.
            size: width and height of the image; boxes are clipped to it.
        """
        return self.predictor(timestamp).faces(timestamp, size)

    def predictor(self, timestamp: float) -> FacePredictor:
        """Predictor of the faces shown at this time, seconds."""
        shown = (track for track in self._tracks if track.number is not None and timestamp - track.seen <= self._hold)
        return FacePredictor(tuple(map(copy, shown)))

    def places(self, timestamp: float) -> tuple[Place, ...]:
        """Predicted places of all faces at this time, seconds."""
        return tuple(
            Place(
                track.box(timestamp),
                self._state(track, timestamp),
                math.hypot(track.speed_x, track.speed_y) / track.width if track.seen > track.born else math.inf,
                track.number,
            )
            for track in self._tracks
            if track.width > 0 and timestamp - track.seen <= max(self._hold, _POSITION_SECONDS)
        )

    def _state(self, track: Track, timestamp: float) -> TrackState:
        if track.number is None:
            return TrackState.CANDIDATE
        if timestamp - track.seen > self._hold:
            return TrackState.REMEMBERED
        return TrackState.SEEN if track.seen == self._last_update else TrackState.MISSED

    def _match(self, detections: Sequence[Detection], timestamp: float) -> set[int]:
        """Update tracks with the matching detections; returns the indices of these detections."""
        boxes, places = [one.box for one in detections], [track.box(timestamp) for track in self._tracks]
        overlap = intersection_over_union(places, boxes)
        near = np.maximum(_nearness(places, boxes), _nearness([track.last_box() for track in self._tracks], boxes))
        known = np.asarray([track.number is not None for track in self._tracks], bool)[:, np.newaxis]
        gone = np.asarray([timestamp - track.seen > self._hold for track in self._tracks], bool)[:, np.newaxis]
        # Pairs that are not the same face get a weight of 0. Confirmed tracks come first, so that a false detection that passes
        # does not take a box over. Lost tracks come last, since another person may stand at their place.
        pairs: dict[int, int] = {}
        for claims in (
            np.where((overlap >= SAME_FACE) & ~(known & gone), overlap + 0.5 * known, 0.0),
            np.where(known, near, 0.0),
        ):
            claims[list(pairs)] = 0
            claims[:, list(pairs.values())] = 0
            pairs |= best_pairs(claims)
        covered = {
            row: column
            for row, column in zip(*np.nonzero(overlap >= SAME_FACE), strict=True)
            if row not in pairs and known[row, 0] and timestamp - self._tracks[row].seen <= _OCCLUSION_SECONDS
        }
        for row in covered:
            self._extrapolate(self._tracks[row], timestamp)
        for row, column in pairs.items():
            self._move(self._tracks[row], detections[column], timestamp, keep_speed=column in covered.values())
        return set(pairs.values())

    def _is_part_of_known_face(self, detection: Detection, timestamp: float) -> bool:
        """Whether a detection overlaps a known face too much to be another one; cascades find faces in mouths and chins."""
        known = [face.box(timestamp) for face in self._tracks if face.number is not None and timestamp - face.seen <= self._hold]
        return bool((intersection_over_smaller(known, [detection.box]) > _MAX_NESTING).any())

    def _start(self, detection: Detection, timestamp: float) -> None:
        track = Track.from_box(detection.box, timestamp, detection.confidence)
        track.landmarks = detection.landmarks
        self._tracks.append(track)

    def _extrapolate(self, track: Track, timestamp: float) -> None:
        """Extrapolate the motion of a track that another one occludes."""
        elapsed = max(0.0, timestamp - track.at)
        x, y = track.speed_x * elapsed, track.speed_y * elapsed
        track.x, track.y, track.at = track.x + x, track.y + y, timestamp
        if track.landmarks is not None:
            track.landmarks = track.landmarks + np.asarray((x, y), np.float32)

    def _move(self, track: Track, detection: Detection, timestamp: float, *, keep_speed: bool) -> None:
        """Update a track with a detection. The speed is kept while two faces are detected as one, since their center jumps."""
        elapsed = max(0.0, timestamp - track.at)
        position = 1 - math.exp(-elapsed / self._position_smoothing)
        speed = 1 - math.exp(-elapsed / self._speed_smoothing)
        size = 1 - math.exp(-elapsed / self._size_smoothing)
        box, landmarks = detection.box, track.landmarks_at(timestamp)
        if landmarks is not None and detection.landmarks is not None:
            track.landmarks = landmarks + np.float32(position) * (detection.landmarks - landmarks)
        else:
            track.landmarks = detection.landmarks
        x, y = track.center(timestamp)
        x += position * (box.x + box.width / 2 - x)
        y += position * (box.y + box.height / 2 - y)
        if elapsed > 0 and not keep_speed:
            track.speed_x += speed * ((x - track.x) / elapsed - track.speed_x)
            track.speed_y += speed * ((y - track.y) / elapsed - track.speed_y)
        track.x, track.y = x, y
        track.width += size * (box.width - track.width)
        track.height += size * (box.height - track.height)
        track.evidence += detection.confidence
        track.seen, track.at, track.seen_x, track.seen_y = timestamp, timestamp, track.x, track.y

    def _is_alive(self, track: Track, timestamp: float) -> bool:
        if track.number is None:
            return track.seen == timestamp or track.evidence >= _MIN_EVIDENCE
        return timestamp - track.seen <= self._forget


def _nearness(places: Sequence[Box], boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Similarity of position and size of each pair, 0 to 1: float64 (len(places), len(boxes)); 0 for different faces."""
    a, b = (np.asarray([(box.x + box.width / 2, box.y + box.height / 2, box.width, box.height) for box in some], np.float64)
            .reshape(-1, 4) for some in (places, boxes))  # fmt: skip
    a, b = a[:, np.newaxis], b[np.newaxis]
    sides = np.maximum(np.maximum(a[..., 2:], b[..., 2:]).max(axis=-1), 1)
    distance = np.hypot(*(np.moveaxis(a[..., :2] - b[..., :2], -1, 0))) / sides
    ratio = np.minimum(a[..., 3], b[..., 3]) / np.maximum(np.maximum(a[..., 3], b[..., 3]), 1)
    return np.where((distance <= _SAME_PLACE) & (ratio * _SAME_SIZE >= 1), ratio * (1 - distance / (2 * _SAME_PLACE)), 0.0)
