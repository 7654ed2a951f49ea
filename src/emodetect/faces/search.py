"""Finding faces at speed: the whole picture now and then, in between only where faces are known."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.faces.boxes import intersection_over_union, without_nested
from emodetect.faces.detector import ColorDetector, GrayDetector
from emodetect.faces.template import FaceTemplate
from emodetect.faces.tracker import SAME_FACE, Place, Standing
from emodetect.stopwatch import Stopwatch
from emodetect.types import Box, Detection, Image

SCAN_EVERY = 0.5
"""Seconds between two scans of the whole picture: how late a face may be found that comes while others are known."""

_SOON = 0.1
"""Share of that while nobody is known, or somebody is missed."""

_LOOK_EVERY = 0.07
"""Seconds between two looks at the faces that are known; the tracker moves them on meanwhile."""

_DETECT_EVERY = 0.35
"""Seconds for which a face that is known is followed by its looks alone, before the detector looks for it again."""

_FOLLOW_FOR = 1.0
"""Seconds for which it may be followed so while the detector, which misses a face now and then, does not find it."""

_TOO_FAR = 0.03
"""How far a face may move on between two looks, in its own widths: a fast one may turn round."""

_SURPRISE = 2.0
"""How much faster a face moves at most than the tracker expects, in its own widths a second."""

_MARGINS = 0.2, 0.5
"""How far round a known face is searched, as shares of its side: what is needed for all windows that agree on a face that is
where it was expected, and the most that is worth it."""


class FaceSearch:
    """Decides, frame by frame, where to look: nowhere, around the faces that are known, or everywhere.

    The whole picture is scanned at steps of the frames' own time, and at once when a shown face is not found near where it
    should be. What is found depends on the frames alone and never on how fast the machine is.

    Args:
        detector: does the looking.
        every: seconds between two scans of the whole picture; 0 for the detector's plain scan of every frame, as for one that is
            certain of its faces.

    Attributes:
        full_scans: how often the whole picture was scanned.
    """

    def __init__(self, detector: GrayDetector | ColorDetector, *, every: float = SCAN_EVERY) -> None:
        self._detector, self._every = detector, 0.0 if detector.is_certain else every
        self.full_scans = 0
        self.clear()

    def clear(self) -> None:
        """Begin anew, as with pictures of another size."""
        self._looked = self._scanned = float("-inf")
        self._templates: dict[int, tuple[float, FaceTemplate]] = {}

    @property
    def is_always_due(self) -> bool:
        """Whether each frame is looked at, whatever its time."""
        return not self._every

    def is_due(self, timestamp: float, places: Sequence[Place]) -> bool:
        """Whether to look at a frame of this time, seconds, at all: not while all faces were found a moment ago."""
        if self._is_scan_due(timestamp, places):
            return True
        elapsed = timestamp - self._looked
        return any(
            place.standing in (Standing.CANDIDATE, Standing.MISSED)
            or elapsed >= min(_LOOK_EVERY, _TOO_FAR / max(place.speed, _TOO_FAR))
            for place in places
        )

    def find(
        self, image: Image, timestamp: float, places: Sequence[Place] = (), watch: Stopwatch | None = None
    ) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR; the surest first.

        Args:
            image: the picture.
            timestamp: its time, seconds, not before the last one's.
            places: where faces should be by now.
            watch: gets the laps "gray", if that was needed, and "find".
        """
        watch = watch or Stopwatch()
        if isinstance(self._detector, ColorDetector):
            found = self._look(self._detector, image, timestamp, places)
        else:
            gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
            watch.lap("gray")
            found = self._find(self._detector, gray, timestamp, places)
        watch.lap("find")
        return found

    def _look(self, detector: ColorDetector, image: Image, timestamp: float, places: Sequence[Place]) -> list[Detection]:
        """With a detector whose looks cost little, however many faces there are."""
        self._looked = timestamp
        if timestamp - self._scanned < self._every:
            return detector.look(image, [place.box for place in places if place.standing is not Standing.REMEMBERED])
        self._scanned = timestamp
        self.full_scans += 1
        return detector.detect(image)

    def _find(
        self, detector: GrayDetector, gray: npt.NDArray[np.uint8], timestamp: float, places: Sequence[Place]
    ) -> list[Detection]:
        """With a detector whose looks cost much."""
        if not self._every:
            self.full_scans += 1
            return detector.detect(gray)
        reach = _SURPRISE * (timestamp - self._looked)
        margin, reach = min(_MARGINS[0] + reach, _MARGINS[1]), min(reach, _MARGINS[1])
        self._looked = timestamp
        self._forget(places)
        followed = self._follow(gray, timestamp, places, reach, _DETECT_EVERY)
        others = [place for place in places if place not in followed]
        found = detector.detect_near(gray, [place.box for place in others], margin)
        missed = self._remember(gray, timestamp, others, found)
        followed |= self._follow(gray, timestamp, missed, reach, _FOLLOW_FOR)
        found = [*followed.values(), *found]
        if self._is_scan_due(timestamp, places) or _is_any_lost(places, found):
            self._scanned = timestamp
            self.full_scans += 1
            fresh = detector.glance(gray, [detection.box for detection in found])
            found = without_nested([*found, *detector.detect_near(gray, fresh, _MARGINS[0])])
        return found

    def _forget(self, places: Sequence[Place]) -> None:
        """Keep the looks of those alone that are still known."""
        present = {place.number for place in places}
        self._templates = {number: known for number, known in self._templates.items() if number in present}

    def _follow(
        self, gray: npt.NDArray[np.uint8], timestamp: float, places: Sequence[Place], reach: float, seconds: float
    ) -> dict[Place, Detection]:
        """The faces that look as they did when the detector last found them, less than these seconds ago."""
        followed = {}
        for place in places:
            if place.standing is Standing.SEEN and place.number in self._templates:
                found, template = self._templates[place.number]
                box = template.find(gray, place.box, reach) if timestamp - found < seconds else None
                if box is not None:
                    followed[place] = Detection(box, confidence=0)
        return followed

    def _remember(
        self, gray: npt.NDArray[np.uint8], timestamp: float, places: Sequence[Place], found: Sequence[Detection]
    ) -> list[Place]:
        """Keep what the faces that the detector has found look like now; returns the others of these."""
        overlaps = intersection_over_union([place.box for place in places], [detection.box for detection in found])
        missed = []
        for place, row in zip(places, overlaps, strict=True):
            if not row.size or row.max() < SAME_FACE:
                missed.append(place)
            elif place.number is not None:
                self._templates[place.number] = timestamp, FaceTemplate.of(gray, found[int(row.argmax())].box)
        return missed

    def _is_scan_due(self, timestamp: float, places: Sequence[Place]) -> bool:
        settled = any(place.standing is Standing.SEEN for place in places) and not any(
            place.standing is Standing.MISSED for place in places
        )
        return timestamp - self._scanned >= self._every * (1 if settled else _SOON)


def _is_any_lost(places: Sequence[Place], found: Sequence[Detection]) -> bool:
    """Whether a face that was there at the last look is not among these."""
    seen: list[Box] = [place.box for place in places if place.standing is Standing.SEEN]
    overlaps = intersection_over_union(seen, [detection.box for detection in found])
    return not (overlaps >= SAME_FACE).any(axis=1).all()
