"""Settings of a pipeline; imported without NumPy and OpenCV, which the command line's options do not need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emodetect.backends.registry import BackendSettings
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.text.numbers import MAX_NUMBER, check_number

if TYPE_CHECKING:
    from emodetect.faces.region import Region


@dataclass(frozen=True)
class PipelineSettings:
    """Settings of a pipeline. `PHOTOS`, `CLIPS` and `LIVE` are the presets of the commands.

    Attributes:
        backend: the emotion backend.
        detector: the face detector.
        verify: whether the embedded network may reject false detections; detections of a certain detector are not verified.
        track: whether frames come in order from one source, so that faces keep their ids and scores are smoothed.
        hide_faces: whether faces will be anonymized in the output. Every frame is then scanned, so that no face is found late.
        region: region of interest for face detection; None for the whole picture.
        smoothing: with ``track``, time constant of the exponential moving average of the scores, seconds; 0 for none.
        uncertain_below: confidence, 0 to 1, below which a reading is marked uncertain; None for the backend's own threshold.
        max_failures: consecutive failed frames after which the backend is given up.

    Raises:
        UsageError: a setting has the wrong type or is out of range.
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
        check_number("smoothing", self.smoothing, 0, MAX_NUMBER)
        if self.uncertain_below is not None:
            check_number("uncertain_below", self.uncertain_below, 0, 1)
        check_number("max_failures", self.max_failures, 1, MAX_NUMBER, whole=True)


PHOTOS = PipelineSettings()
"""Preset for independent pictures."""

CLIPS = PipelineSettings(detector=DetectorSettings(min_face=MinFace(0.1, relative=True)), track=True)
"""Preset for frames in order. Faces below 10 % of the height are rare in clips, and finding them costs time in every frame."""

LIVE = replace(CLIPS, smoothing=0.5)
"""Preset for cameras: as clips, with stronger smoothing for calmer labels."""
