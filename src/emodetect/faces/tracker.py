"""Following faces from frame to frame, so that each keeps its number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from emodetect.faces.boxes import intersection_over_smaller, intersection_over_union
from emodetect.types import Box, Detection, Face

SAME_FACE = 0.3
"""Intersection over union below which two boxes are not the same face."""

_COAST = 0.15
"""Seconds for which a face that is not looked for, or not found, is taken to move on as it did."""

_BELIEVED = 1 - 1e-6
"""The confidence, summed over consecutive looks, from which on a new face is shown."""

_INSIDE = 0.6
"""Share of the smaller of two boxes that lies in the other from which a new box is part of a known face."""


class Standing(Enum):
    """How well a face is known."""

    CANDIDATE = auto()
    """Not yet believed."""

    SEEN = auto()
    """Shown, and found when it was last looked for."""

    MISSED = auto()
    """Shown, and not found when it was last looked for."""

    REMEMBERED = auto()
    """Not shown any more, but it would get its number back."""


@dataclass(frozen=True)
class Place:
    """Where a face is expected.

    Attributes:
        box: the place; it may reach out of the picture.
        standing: how well the face is known.
        speed: how fast it moves, in its own widths a second.
        number: the face's own; None for a candidate.
    """

    box: Box
    standing: Standing
    speed: float = 0.0
    number: int | None = None


@dataclass
class Track:
    """One face over time: its center x, y, size and landmarks when it was last seen, pixels, and the center's speed, pixels a
    second."""

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

    @classmethod
    def of(cls, box: Box, seen: float, evidence: float = 0, number: int | None = None) -> Track:
        """A face that was found in this box."""
        return cls(box.x + box.width / 2, box.y + box.height / 2, box.width, box.height, seen, evidence, number)

    def center(self, timestamp: float) -> tuple[float, float]:
        """Where it should be by now; after some time without a sight it stays."""
        elapsed = min(max(0.0, timestamp - self.seen), _COAST)
        return self.x + self.speed_x * elapsed, self.y + self.speed_y * elapsed

    def box(self, timestamp: float) -> Box:
        """The box round it there, whole pixels."""
        x, y = self.center(timestamp)
        return Box(round(x - self.width / 2), round(y - self.height / 2), round(self.width), round(self.height))

    def landmarks_at(self, timestamp: float) -> npt.NDArray[np.float32] | None:
        """The landmarks, moved on with the center."""
        if self.landmarks is None:
            return None
        x, y = self.center(timestamp)
        return self.landmarks + np.asarray((x - self.x, y - self.y), np.float32)


@dataclass(frozen=True)
class Outlook:
    """Where the faces that are shown at one moment will be a little later; it never changes, so that any thread may ask it."""

    _tracks: tuple[Track, ...] = ()

    def faces(self, timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """The faces, by number, where they should be at this time.

        Args:
            timestamp: seconds; for a while faces move on as they did, then they stay.
            size: width and height of the picture; boxes are clipped to it.
        """
        faces = [
            Face(track.box(timestamp).clipped(*size), track.number, track.landmarks_at(timestamp))
            for track in self._tracks
            if track.number is not None
        ]
        return tuple(sorted((f for f in faces if f.box.width and f.box.height), key=lambda face: face.track_id))


class FaceTracker:
    """Assigns detections to known faces by overlap (Hungarian method, as in SORT, Bewley et al. 2016).

    A detector that is sometimes wrong needs two thresholds: a face is believed once the detector's confidence,
    summed over consecutive frames, reaches 1; after that any detection keeps it. A false box seldom comes twice.

    Args:
        hold: seconds that a face is still shown, where it was last, while the detector does not see it.
        forget: seconds after which a face that is not seen loses its number.
        settle_position: time constant of the smoothing of the center, seconds.
        settle_speed: time constant of the smoothing of the speed, seconds.
        settle_size: time constant of the smoothing of the size, which a cascade finds less exactly, seconds.
    """

    def __init__(
        self,
        *,
        hold: float = 0.25,
        forget: float = 1.0,
        settle_position: float = 0.02,
        settle_speed: float = 0.15,
        settle_size: float = 0.1,
    ) -> None:
        # Here and not above: its import takes longer than that of all else together, and photos need no tracker.
        from scipy.optimize import linear_sum_assignment

        self._assign = linear_sum_assignment
        self._hold, self._forget = hold, forget
        self._settle_position, self._settle_speed, self._settle_size = settle_position, settle_speed, settle_size
        self._tracks: list[Track] = []
        self._looked = 0.0
        self._next_number = 1

    def update(self, detections: Sequence[Detection], timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """Take the detections of one frame; returns the faces to show, by number.

        Args:
            detections: what the detector found.
            timestamp: the frame's time, seconds, not before the last call's.
            size: width and height of the picture; boxes are clipped to it.
        """
        self._looked = timestamp
        taken = self._match(detections, timestamp)
        for index, detection in enumerate(detections):
            if index not in taken and not self._is_part_of_known_face(detection, timestamp):
                self._start(detection, timestamp)
        self._tracks = [track for track in self._tracks if self._is_alive(track, timestamp)]
        for track in self._tracks:
            if track.number is None and track.evidence >= _BELIEVED:
                track.number = self._next_number
                self._next_number += 1
        return self.faces(timestamp, size)

    def clear(self) -> None:
        """Forget all faces; new ones get new numbers."""
        self._tracks = []

    def faces(self, timestamp: float, size: tuple[int, int]) -> tuple[Face, ...]:
        """The faces to show in a frame in which nobody looked, by number, where they should be by now.

        Args:
            timestamp: the frame's time, seconds, not before the last call's.
            size: width and height of the picture; boxes are clipped to it.
        """
        return self.outlook(timestamp).faces(timestamp, size)

    def outlook(self, timestamp: float) -> Outlook:
        """Where the faces that are shown at this time, seconds, will be from now on."""
        shown = (track for track in self._tracks if track.number is not None and timestamp - track.seen <= self._hold)
        return Outlook(tuple(replace(track) for track in shown))

    def places(self, timestamp: float) -> tuple[Place, ...]:
        """Where to look for faces at this time, seconds."""
        return tuple(
            Place(
                track.box(timestamp),
                self._standing(track, timestamp),
                math.hypot(track.speed_x, track.speed_y) / track.width,
                track.number,
            )
            for track in self._tracks
            if track.width > 0
        )

    def _standing(self, track: Track, timestamp: float) -> Standing:
        if track.number is None:
            return Standing.CANDIDATE
        if timestamp - track.seen > self._hold:
            return Standing.REMEMBERED
        return Standing.SEEN if track.seen == self._looked else Standing.MISSED

    def _match(self, detections: Sequence[Detection], timestamp: float) -> set[int]:
        overlap = intersection_over_union([track.box(timestamp) for track in self._tracks], [d.box for d in detections])
        # Pairs that are not the same face count nothing; a known face has the first claim on a box, so that a passing
        # false box does not take it over.
        known = np.asarray([track.number is not None for track in self._tracks], float)
        claims = np.where(overlap >= SAME_FACE, overlap + 0.5 * known[:, np.newaxis], 0.0)
        taken = set()
        for row, column in zip(*self._assign(claims, maximize=True), strict=True):
            if overlap[row, column] >= SAME_FACE:
                self._move(self._tracks[row], detections[column], timestamp)
                taken.add(int(column))
        return taken

    def _is_part_of_known_face(self, detection: Detection, timestamp: float) -> bool:
        """Cascades take mouths and chins for faces; where a face is known, a box inside it or round it is not another."""
        known = [face.box(timestamp) for face in self._tracks if face.number is not None and timestamp - face.seen <= self._hold]
        return bool((intersection_over_smaller(known, [detection.box]) > _INSIDE).any())

    def _start(self, detection: Detection, timestamp: float) -> None:
        track = Track.of(detection.box, timestamp, detection.confidence)
        self._tracks.append(replace(track, landmarks=detection.landmarks))

    def _move(self, track: Track, detection: Detection, timestamp: float) -> None:
        elapsed = max(0.0, timestamp - track.seen)
        position = 1 - math.exp(-elapsed / self._settle_position)
        speed = 1 - math.exp(-elapsed / self._settle_speed)
        size = 1 - math.exp(-elapsed / self._settle_size)
        box, landmarks = detection.box, track.landmarks_at(timestamp)
        if landmarks is not None and detection.landmarks is not None:
            track.landmarks = landmarks + np.float32(position) * (detection.landmarks - landmarks)
        else:
            track.landmarks = detection.landmarks
        x, y = track.center(timestamp)
        x += position * (box.x + box.width / 2 - x)
        y += position * (box.y + box.height / 2 - y)
        if elapsed > 0:
            track.speed_x += speed * ((x - track.x) / elapsed - track.speed_x)
            track.speed_y += speed * ((y - track.y) / elapsed - track.speed_y)
        track.x, track.y = x, y
        track.width += size * (box.width - track.width)
        track.height += size * (box.height - track.height)
        track.evidence += detection.confidence
        track.seen = timestamp

    def _is_alive(self, track: Track, timestamp: float) -> bool:
        if track.number is None:
            return track.seen == timestamp or track.evidence >= _BELIEVED
        return timestamp - track.seen <= self._forget
