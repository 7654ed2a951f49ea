"""When to look for faces in a clip: by the time of its frames, so that the result never depends on how fast the machine is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from emodetect.faces.tracker import Place, Standing

SCAN_EVERY = 0.5
"""Seconds between two scans at all levels: how late a small face may be found."""

LOOK_EVERY = 0.1
"""Seconds between two quick looks; the tracker moves faces on meanwhile. With 0.07 boxes sit no better on moving faces."""

_TOO_FAR = 0.1
"""How far a face may move on between two looks, in its own widths: a fast one may turn round. With 0.03 a face that moves by its
own width per second takes nearly twice the looks, and its box sits no better."""


class Look(Enum):
    """How a frame is searched for faces."""

    NONE = auto()
    """Not at all: the tracker knows enough."""

    QUICK = auto()
    """By the detector's quick look."""

    FULL = auto()
    """By the detector's scan of all levels."""


class LookSchedule:
    """Decides for each frame of a clip how it is searched.

    Args:
        scan_every: seconds between two full scans; 0 for one of every frame.

    Attributes:
        full_scans: number of full scans so far.
    """

    def __init__(self, scan_every: float = SCAN_EVERY) -> None:
        self._scan_every = scan_every
        self.full_scans = 0
        self.clear()

    def clear(self) -> None:
        """Begin anew, as with pictures of another size."""
        self._looked = self._scanned = float("-inf")

    @property
    def scans_always(self) -> bool:
        """Whether each frame is scanned, whatever its time."""
        return not self._scan_every

    def next(self, timestamp: float, places: Sequence[Place]) -> Look:
        """How to search the next frame.

        Args:
            timestamp: the frame's time, seconds, not before the last one's.
            places: where faces are expected in it. Those that are in doubt, or fast, are looked at more often.
        """
        if self.scans_always or timestamp - self._scanned >= self._scan_every:
            self._scanned = self._looked = timestamp
            self.full_scans += 1
            return Look.FULL
        fastest = max((place.speed for place in places), default=0.0)
        is_in_doubt = any(place.standing in (Standing.CANDIDATE, Standing.MISSED) for place in places)
        if is_in_doubt or timestamp - self._looked >= min(LOOK_EVERY, _TOO_FAR / max(fastest, _TOO_FAR)):
            self._looked = timestamp
            return Look.QUICK
        return Look.NONE
