"""The face detectors by name."""

from __future__ import annotations

from emodetect.errors import ModelError, UsageError, about
from emodetect.faces.detector import ColorDetector, DetectorSettings, GrayDetector
from emodetect.text.suggestions import did_you_mean

DETECTORS = ("haar", "blazeface", "none")
"""Names that `create_detector` takes."""


@about("cascade", ModelError)
def create_detector(settings: DetectorSettings) -> GrayDetector | ColorDetector:
    """Make a face detector.

    Args:
        settings: its name is one of `DETECTORS`. "blazeface" uses ``min_face`` alone of the others. "none", which takes each
            whole picture for one face, uses none.

    Raises:
        UsageError: there is no detector of that name.
        ModelError: the cascade file is missing or not a cascade.
    """
    if settings.name == "none":
        from emodetect.faces.whole_picture import WholePicture

        return WholePicture()
    if settings.name == "blazeface":
        from emodetect.faces.blazeface import BlazeFaceDetector

        return BlazeFaceDetector(min_face=settings.min_face)
    if settings.name != "haar":
        known = f"there are {', '.join(DETECTORS)}{did_you_mean(settings.name, DETECTORS)}"
        raise UsageError(f"no detector {settings.name!r}; {known}", parameter="detector")
    from emodetect.faces.haar import HaarDetector

    return HaarDetector(
        settings.cascade,
        scale_factor=settings.scale_factor,
        min_neighbors=settings.min_neighbors,
        min_face=settings.min_face,
    )
