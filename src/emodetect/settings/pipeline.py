"""The settings that a pipeline is built from; found without NumPy and OpenCV, for the options of a command line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emodetect.backends.registry import BackendSettings
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.text.numbers import MOST_NUMBER, check_number

if TYPE_CHECKING:
    from emodetect.faces.region import Region


@dataclass(frozen=True)
class PipelineSettings:
    """What a pipeline is built from. `PHOTOS`, `CLIPS` and `LIVE` are where the commands begin.

    Attributes:
        backend: what reads the emotions.
        detector: what finds the faces.
        verify: whether the embedded network may reject what the detector has found; a detector that is certain is not asked.
        track: whether frames come in order from one source, so that faces keep their ids and scores are smoothed.
        hide_faces: whether faces will be hidden in what is saved. Each frame is scanned then, so that no face is found late.
        region: the part of each picture in which faces are looked for; None for all of it.
        smoothing: where faces are tracked, seconds after which 63 % of a change is seen in the scores; 0 for none.
        uncertain_below: confidence, 0 to 1, under which a reading is marked uncertain; None for the backend's own.
        max_failures: consecutive failed frames after which the backend is given up.

    Raises:
        UsageError: one of them has another type or is out of range.
    """

    backend: BackendSettings = BackendSettings()
    detector: DetectorSettings = DetectorSettings()
    verify: bool = True
    track: bool = False
    hide_faces: bool = False
    region: Region | None = None
    smoothing: float = 0.3
    uncertain_below: float | None = None
    max_failures: int = 10

    def __post_init__(self) -> None:
        check_number("smoothing", self.smoothing, 0, MOST_NUMBER)
        if self.uncertain_below is not None:
            check_number("uncertain_below", self.uncertain_below, 0, 1)
        check_number("max_failures", self.max_failures, 1, MOST_NUMBER, whole=True)


PHOTOS = PipelineSettings()
"""Each picture stands alone."""

CLIPS = PipelineSettings(detector=DetectorSettings(min_face=MinFace(0.1, relative=True)), track=True)
"""Frames in order. Faces below 10 % of the height are rare there, and cost time in each frame."""

LIVE = replace(CLIPS, smoothing=0.5)
"""As clips; people who look at themselves want labels that are calmer."""
