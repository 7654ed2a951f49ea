"""Results over time, by person."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from emodetect.report.joining import JoinedPeople, join_people
from emodetect.report.person import Person
from emodetect.types import EMOTIONS, Box, FaceReading, FrameResult

_ONE_FRAME = 0.04
"""Assumed duration of the only frame of a clip, seconds."""

_MAX_STEPS, _MAX_SECONDS = 5, 1.0
"""A frame lasts until the next one, but at most this many usual steps or seconds, since a log may have gaps."""


class Timeline:
    """Collects results, in order; it stores a few numbers per face and frame.

    Args:
        clip_end: end of the clip, or of the clip range, according to its header, seconds; 0 if unknown.
        count: number of people, if known; further ids are then joined, as in `join_people`.

    Attributes:
        frames: number of each frame.
        times: start of each frame, seconds.
    """

    def __init__(self, clip_end: float = 0.0, count: int | None = None) -> None:
        self.frames, self.times = array("q"), array("d")
        self._clip_end, self._count = clip_end, count
        self._tracks: dict[int, _Track] = {}

    def add(self, result: FrameResult) -> None:
        """Add the result of the next frame; faces without scores are ignored."""
        for reading in result.readings:
            if reading.scores is not None:
                self._tracks.setdefault(reading.track_id, _Track()).add(len(self.times), result.index, reading)
        self.frames.append(result.index)
        self.times.append(result.timestamp)

    @property
    def step(self) -> float:
        """The usual time from one frame to the next, seconds."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else _ONE_FRAME

    @property
    def start(self) -> float:
        """Start of the first frame, seconds."""
        return self.times[0] if self.times else 0.0

    @property
    def end(self) -> float:
        """End of the last frame, seconds: the clip's end if frames were skipped; if that is unknown, one step after its start."""
        if not self.times:
            return 0.0
        last = self.times[-1]
        numbers = self.frames[-1] - self.frames[0]
        one_frame = (last - self.times[0]) / numbers if numbers > 0 else self.step
        return min(max(self._clip_end, last + one_frame), last + self.step)

    @property
    def ends(self) -> npt.NDArray[np.float64]:
        """The end of each frame, float64, seconds: the next one's start, unless that is too far away."""
        starts = np.asarray(self.times)
        longest = max(_MAX_STEPS * self.step, _MAX_SECONDS)
        return np.asarray(np.minimum(np.append(starts[1:], self.end), starts + longest), np.float64)

    def people(self) -> list[Person]:
        """All people, those seen longest first."""
        return self.joined().people

    def joined(self) -> JoinedPeople:
        """All people with joined ids, and what was assumed."""
        starts, ends = np.asarray(self.times), self.ends
        joined = join_people([track.person(number, starts, ends) for number, track in self._tracks.items()], self._count)
        return replace(joined, people=sorted(joined.people, key=lambda person: (-person.seconds, person.track_id)))


class _Track:
    """The samples of one face."""

    def __init__(self) -> None:
        self._places, self._emotions = array("q"), array("b")
        self._scores, self._uncertain = array("f"), array("b")
        self._boxes = array("q")
        self._best: tuple[bool, float, int, Box] | None = None

    def add(self, place: int, frame: int, reading: FaceReading) -> None:
        """Add a reading; ``place`` is the index of the result."""
        assert reading.scores is not None
        confidence = reading.scores.confidence
        self._places.append(place)
        self._emotions.append(EMOTIONS.index(reading.scores.dominant))
        self._scores.extend(reading.scores.values.tolist())
        self._uncertain.append(reading.uncertain)
        box = reading.box
        self._boxes.extend((box.x, box.y, box.width, box.height))
        merit = not reading.uncertain, confidence * reading.box.width * reading.box.height
        if self._best is None or merit > self._best[:2]:
            self._best = (*merit, frame, reading.box)

    def person(self, track_id: int, starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]) -> Person:
        """Convert the face to a person; ``starts`` and ``ends`` are those of all results, seconds."""
        assert self._best is not None
        places = np.asarray(self._places)
        return Person(
            track_id,
            starts[places],
            ends[places],
            np.asarray(self._emotions, np.int8),
            np.asarray(self._scores, np.float32).reshape(-1, len(EMOTIONS)),
            np.asarray(self._uncertain, np.bool_),
            np.asarray(self._boxes, np.int64).reshape(-1, 4),
            *self._best[2:],
        )
