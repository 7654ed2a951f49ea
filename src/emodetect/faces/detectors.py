"""The face detectors by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emodetect.errors import ModelError, UsageError, about
from emodetect.text.suggestions import did_you_mean

if TYPE_CHECKING:  # names are wanted without OpenCV, to complete a command line
    from emodetect.faces.detector import FaceDetector, MinFace

DETECTORS = ("haar", "none")
"""Names that `create_detector` takes, the default first."""


@about("cascade", ModelError)
def create_detector(
    name: str,
    *,
    cascade: Path | None = None,
    scale_factor: float = 1.1,
    min_neighbors: int = 5,
    min_face: MinFace | None = None,
) -> FaceDetector:
    """Make a face detector.

    Args:
        name: one of `DETECTORS`; "none" takes each whole picture for one face, and uses none of the other arguments.
        cascade: as for `HaarDetector`.
        scale_factor: as for `HaarDetector`.
        min_neighbors: as for `HaarDetector`.
        min_face: as for `HaarDetector`; None for its default.

    Raises:
        UsageError: there is no detector of that name.
        ModelError: the cascade file is missing or not a cascade.
    """
    if name == "none":
        from emodetect.faces.whole_picture import WholePicture

        return WholePicture()
    if name != "haar":
        raise UsageError(
            f"no detector {name!r}; there are {', '.join(DETECTORS)}{did_you_mean(name, DETECTORS)}", parameter="detector"
        )
    from emodetect.faces.haar import HaarDetector

    detector = HaarDetector(cascade, scale_factor=scale_factor, min_neighbors=min_neighbors)
    if min_face is not None:
        detector.min_face = min_face
    return detector
