"""One person over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from emodetect.types import EMOTIONS, Box, Emotion


@dataclass(frozen=True)
class Run:
    """A stretch without a gap in which a face had one emotion, either all certain or all uncertain.

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
    """Share of an emotion in the time for which a person was read.

    Attributes:
        emotion: the emotion.
        seconds: its duration.
        share: fraction of the person's time, 0 to 1.
        uncertain: uncertain fraction of ``seconds``, 0 to 1.
    """

    emotion: Emotion
    seconds: float
    share: float
    uncertain: float


@dataclass(frozen=True, eq=False)
class Person:
    """One tracked face, as samples that last from one frame to the next.

    Attributes:
        track_id: id of the face.
        starts: float64 (n,), seconds.
        ends: float64 (n,), seconds.
        emotions: int8 (n,), positions in `EMOTIONS`.
        scores: float32 (n, 7), 0 to 1, in the order of `EMOTIONS`.
        uncertain: bool (n,).
        boxes: int64 (n, 4), boxes of the face: x, y, width and height in pixels of the whole picture.
        best_frame: number of the frame that shows the face best.
        best_box: the face's box in that frame.
    """

    track_id: int
    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    emotions: npt.NDArray[np.int8]
    scores: npt.NDArray[np.float32]
    uncertain: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.int64]
    best_frame: int
    best_box: Box

    @cached_property
    def confidences(self) -> npt.NDArray[np.float32]:
        """The highest scores, float32 (n,), 0 to 1."""
        return np.asarray(self.scores.max(axis=1), np.float32)

    @property
    def seconds(self) -> float:
        """Time for which the face was read, seconds."""
        return float((self.ends - self.starts).sum())

    def runs(self) -> Iterator[Run]:
        """Yield the runs, in order."""
        new = (np.diff(self.emotions) != 0) | (np.diff(self.uncertain) != 0) | self._gaps()
        for samples in _slices(new):
            first = samples.start
            bounds = float(self.starts[first]), float(self.ends[samples.stop - 1])
            yield Run(*bounds, EMOTIONS[self.emotions[first]], bool(self.uncertain[first]), samples)

    def appearances(self) -> Iterator[slice]:
        """Yield the samples of each appearance of the face."""
        return _slices(self._gaps())

    def _gaps(self) -> npt.NDArray[np.bool_]:
        """Whether the face was absent after each sample, bool (n - 1,)."""
        return np.asarray(self.starts[1:] != self.ends[:-1])

    def integrals(self, rates: npt.NDArray[Any], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Integrate values per second over the time for which the face was read, between consecutive edges.

        Args:
            rates: (n,) or (n, k), values per second of each sample.
            edges: (m + 1,), edges of the intervals, seconds, in order.

        Returns:
            float64 (m,) or (m, k).
        """
        columns = np.asarray(rates, np.float64).reshape(len(self.starts), -1)
        until = np.cumsum((self.ends - self.starts)[:, None] * columns, axis=0)
        knots = np.column_stack([self.starts, self.ends]).ravel()
        values = np.stack([np.vstack([np.zeros_like(until[:1]), until[:-1]]), until], axis=1).reshape(len(knots), -1)
        sums = np.column_stack([np.diff(np.interp(edges, knots, column)) for column in values.T])
        return sums.reshape(-1, *np.shape(rates)[1:])

    def shares(self) -> list[Share]:
        """Shares of the person's emotions, the most frequent first."""
        lengths = self.ends - self.starts
        shares = []
        for position, emotion in enumerate(EMOTIONS):
            seconds = float(lengths[self.emotions == position].sum())
            if seconds > 0:
                doubtful = float(lengths[(self.emotions == position) & self.uncertain].sum())
                shares.append(Share(emotion, seconds, seconds / self.seconds, doubtful / seconds))
        return sorted(shares, key=lambda share: -share.seconds)

    def dominant(self) -> Emotion | None:
        """The emotion with the longest certain time; None if there is none."""
        certain = [(share.seconds * (1 - share.uncertain), share.emotion) for share in self.shares()]
        seconds, emotion = max(certain, key=lambda pair: pair[0])
        return emotion if seconds > 0 else None


def _slices(new: npt.NDArray[np.bool_]) -> Iterator[slice]:
    """Split the samples after those where ``new`` is true; ``new`` is bool, one shorter than the samples."""
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), len(new) + 1]
    return (slice(first, last) for first, last in pairwise(edges))
