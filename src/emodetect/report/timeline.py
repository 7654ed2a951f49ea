"""Results over time, by person."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from emodetect.types import EMOTIONS, Box, Emotion, FaceReading, FrameResult

_ONE_FRAME = 0.04
"""Assumed duration of the only frame of a clip, seconds."""

_LONGEST_STEPS, _LONGEST = 5, 1.0
"""A frame lasts until the next one, but no longer than this many usual steps or seconds, since a log may have gaps."""


@dataclass(frozen=True)
class Run:
    """A stretch without a gap in which a face had one emotion, all of it certain or all of it uncertain.

    Attributes:
        start: seconds.
        end: seconds.
        emotion: the emotion.
        uncertain: whether the readings are uncertain.
        samples: the person's samples in it.
    """

    start: float
    end: float
    emotion: Emotion
    uncertain: bool
    samples: slice


@dataclass(frozen=True)
class Share:
    """The share of an emotion in the time for which a person was read.

    Attributes:
        emotion: the emotion.
        seconds: its duration.
        share: of the person's time, 0 to 1.
        uncertain: the uncertain part of ``seconds``, 0 to 1.
    """

    emotion: Emotion
    seconds: float
    share: float
    uncertain: float


@dataclass(frozen=True, eq=False)
class Person:
    """One tracked face, as samples that last from one frame to the next.

    Attributes:
        track_id: the number of the face.
        starts: float64 (n,), seconds.
        ends: float64 (n,), seconds.
        emotions: int8 (n,), positions in `EMOTIONS`.
        confidences: float32 (n,), 0 to 1.
        uncertain: bool (n,).
        boxes: int64 (n, 4), boxes of the face: x, y, width and height in pixels of the whole picture.
        best_frame: number of the frame that shows the face best.
        best_box: the face's box in that frame.
    """

    track_id: int
    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    emotions: npt.NDArray[np.int8]
    confidences: npt.NDArray[np.float32]
    uncertain: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.int64]
    best_frame: int
    best_box: Box

    @property
    def seconds(self) -> float:
        """Time for which the face was read, seconds."""
        return float((self.ends - self.starts).sum())

    def runs(self) -> Iterator[Run]:
        """The stretches, in order."""
        new = (np.diff(self.emotions) != 0) | (np.diff(self.uncertain) != 0) | self._gaps()
        for samples in _slices(new):
            first = samples.start
            bounds = float(self.starts[first]), float(self.ends[samples.stop - 1])
            yield Run(*bounds, EMOTIONS[self.emotions[first]], bool(self.uncertain[first]), samples)

    def appearances(self) -> Iterator[slice]:
        """The samples of each appearance of the face."""
        return _slices(self._gaps())

    def _gaps(self) -> npt.NDArray[np.bool_]:
        """After which samples the face was absent, bool (n - 1,)."""
        return np.asarray(self.starts[1:] != self.ends[:-1])

    def shares(self) -> list[Share]:
        """The emotions of the person, the most frequent first."""
        lengths = self.ends - self.starts
        shares = []
        for position, emotion in enumerate(EMOTIONS):
            seconds = float(lengths[self.emotions == position].sum())
            if seconds > 0:
                doubtful = float(lengths[(self.emotions == position) & self.uncertain].sum())
                shares.append(Share(emotion, seconds, seconds / self.seconds, doubtful / seconds))
        return sorted(shares, key=lambda share: -share.seconds)

    def mostly(self) -> Emotion | None:
        """The emotion that was read with certainty for the longest time; None if there is none."""
        certain = [(share.seconds * (1 - share.uncertain), share.emotion) for share in self.shares()]
        seconds, emotion = max(certain, key=lambda pair: pair[0])
        return emotion if seconds > 0 else None


def _slices(new: npt.NDArray[np.bool_]) -> Iterator[slice]:
    """Split the samples after those where ``new`` is true; ``new`` is bool, one shorter than the samples."""
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), len(new) + 1]
    return (slice(first, last) for first, last in pairwise(edges))


class Timeline:
    """Collects results, in order. It keeps a few numbers per face and frame.

    Args:
        clip_end: end of the clip, or of the part that is read, according to its header, seconds; 0 if unknown.

    Attributes:
        frames: the number of each frame.
        times: the start of each frame, seconds.
    """

    def __init__(self, clip_end: float = 0.0) -> None:
        self.frames, self.times = array("q"), array("d")
        self._clip_end = clip_end
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

    def people(self) -> list[Person]:
        """Everybody who was read, those seen longest first."""
        starts = np.asarray(self.times)
        longest = max(_LONGEST_STEPS * self.step, _LONGEST)
        ends = np.minimum(np.append(starts[1:], self.end), starts + longest)
        people = [track.person(number, starts, ends) for number, track in sorted(self._tracks.items())]
        return sorted(people, key=lambda person: -person.seconds)


class _Track:
    """The samples of one face."""

    def __init__(self) -> None:
        self._places, self._emotions = array("q"), array("b")
        self._confidences, self._uncertain = array("f"), array("b")
        self._boxes = array("q")
        self._best: tuple[bool, float, int, Box] | None = None

    def add(self, place: int, frame: int, reading: FaceReading) -> None:
        """Add a reading; ``place`` is the number of the result."""
        assert reading.scores is not None
        confidence = reading.scores.confidence
        self._places.append(place)
        self._emotions.append(EMOTIONS.index(reading.scores.dominant))
        self._confidences.append(confidence)
        self._uncertain.append(reading.uncertain)
        box = reading.box
        self._boxes.extend((box.x, box.y, box.width, box.height))
        merit = not reading.uncertain, confidence * reading.box.width * reading.box.height
        if self._best is None or merit > self._best[:2]:
            self._best = (*merit, frame, reading.box)

    def person(self, track_id: int, starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]) -> Person:
        """The face as a person; ``starts`` and ``ends`` are those of all results, seconds."""
        assert self._best is not None
        places = np.asarray(self._places)
        return Person(
            track_id,
            starts[places],
            ends[places],
            np.asarray(self._emotions, np.int8),
            np.asarray(self._confidences, np.float32),
            np.asarray(self._uncertain, np.bool_),
            np.asarray(self._boxes, np.int64).reshape(-1, 4),
            *self._best[2:],
        )
