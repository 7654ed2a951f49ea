"""Detection schedule for clips. It depends on timestamps alone, so that results do not depend on the machine's speed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from emodetect.faces.tracker import Place, TrackState

SCAN_EVERY = 0.5
"""Seconds between scans at all levels; the longest time until a small face is found."""

DETECT_EVERY = 0.1
"""Seconds between quick detections; the tracker predicts the frames in between. 0.07 s places boxes on moving faces no better."""

_MAX_MOTION = 0.1
"""Maximum motion of a face between two detections, in face widths, since a fast face may reverse. With 0.03, a face that moves by
its width per second takes nearly twice the detections, and its box is no better."""


class DetectionMode(Enum):
    """Detection mode of a frame."""

    NONE = auto()
    """No detection: the tracker's prediction is enough."""

    QUICK = auto()
    """The detector's quick detection."""

    FULL = auto()
    """The detector's scan at all levels."""


class DetectionSchedule:
    """Chooses the detection mode of each frame of a clip.

    Args:
        scan_every: seconds between full scans; 0 scans every frame.

    Attributes:
        full_scans: number of full scans so far.
    """

    def __init__(self, scan_every: float = SCAN_EVERY) -> None:
        self._scan_every = scan_every
        self.full_scans = 0
        self.clear()

    def clear(self) -> None:
        """Reset, as after a change of the image size."""
        self._detected = self._scanned = float("-inf")

    @property
    def scans_always(self) -> bool:
        """Whether every frame is scanned."""
        return not self._scan_every

    def next(self, timestamp: float, places: Sequence[Place]) -> DetectionMode:
        """Detection mode of the next frame.

        Args:
            timestamp: timestamp of the frame, seconds, not before the previous one.
            places: predicted faces. Unconfirmed, missed and fast ones cause more frequent detections.
        """
        if self.scans_always or timestamp - self._scanned >= self._scan_every:
            self._scanned = self._detected = timestamp
            self.full_scans += 1
            return DetectionMode.FULL
        fastest = max((place.speed for place in places), default=0.0)
        is_in_doubt = any(place.state in (TrackState.CANDIDATE, TrackState.MISSED) for place in places)
        if is_in_doubt or timestamp - self._detected >= min(DETECT_EVERY, _MAX_MOTION / max(fastest, _MAX_MOTION)):
            self._detected = timestamp
            return DetectionMode.QUICK
        return DetectionMode.NONE
