"""Registry of face detectors, which are imported only when they are chosen.

A package adds one by an entry point in the group ``emodetect.detectors``. Its object is called without arguments and returns a
`SimpleDetector`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from emodetect.errors import ModelError, UsageError, about
from emodetect.faces.detector import DetectorSettings, FaceDetector
from emodetect.system.assumptions import warn_once
from emodetect.text.suggestions import did_you_mean

if TYPE_CHECKING:  # shell completion needs the names without importing OpenCV
    from emodetect.faces.haar import HaarDetector

GROUP = "emodetect.detectors"

DETECTORS = ("both", "haar", "blazeface", "none")
"""Names of the built-in detectors."""


USE_CASCADE = ("both", "haar")
"""Built-in detectors that use the cascade's options."""


def detector_names() -> list[str]:
    """Names of all detectors for `create_detector`, the built-in ones first."""
    return [*DETECTORS, *plugins()]


def plugins() -> dict[str, EntryPoint]:
    """Entry points of plug-in detectors by name, sorted and not imported; built-in names cannot be replaced."""
    points = {point.name: point for point in entry_points(group=GROUP) if point.name not in DETECTORS}
    return dict(sorted(points.items()))


def create_detector(settings: DetectorSettings) -> FaceDetector:
    """Create a face detector.

    Args:
        settings: its name is one of `detector_names`. "both" is the network, and the cascade if the network finds no face; if
            OpenCV has no cascades it is the network alone, and the logger ``emodetect`` says so. "both" and "haar" use all other
            settings, "none" uses none, and the others use ``min_face``.

    Raises:
        UsageError: there is no detector of that name.
        ModelError: the cascade file is missing or invalid, or the network is missing or damaged.
        BackendUnavailableError: the plug-in cannot be imported, or OpenCV has no cascades.
    """
    if settings.name == "none":
        from emodetect.faces.whole_picture import WholePicture

        return WholePicture()
    if settings.name == "haar":
        return _cascade(settings)
    if settings.name in ("both", "blazeface"):
        from emodetect.faces.blazeface import BlazeFaceDetector
        from emodetect.faces.landmarks import LandmarkRefiner

        network = BlazeFaceDetector(min_face=settings.min_face, refiner=LandmarkRefiner())
        if settings.name == "blazeface":
            return network
        from emodetect.faces.cascade_file import missing_classifier

        if missing := missing_classifier():
            warn_once(f"{missing}, so that the network alone finds faces")
            return network
        from emodetect.faces.combined import CombinedDetector

        return CombinedDetector(network, _cascade(settings))
    others = plugins()
    if settings.name not in others:
        known = detector_names()
        hint = f"there are {', '.join(known)}{did_you_mean(settings.name, known)}"
        raise UsageError(f"no detector {settings.name!r}; {hint}", parameter="detector")
    from emodetect.faces.plugin import PluginDetector

    return PluginDetector(others[settings.name], min_face=settings.min_face)


def choices(settings: DetectorSettings) -> dict[str, Callable[[], FaceDetector]]:
    """Factories of the built-in detectors by name; the one of the settings first, the others in their usual order."""
    names = [name for name in detector_names() if name not in ("none", settings.name)]
    return {name: partial(create_detector, replace(settings, name=name)) for name in (settings.name, *names)}


@about("cascade", ModelError)
def _cascade(settings: DetectorSettings) -> HaarDetector:
    from emodetect.faces.haar import HaarDetector

    return HaarDetector(
        settings.cascade,
        scale_factor=settings.scale_factor,
        min_neighbors=settings.min_neighbors,
        min_face=settings.min_face,
    )
