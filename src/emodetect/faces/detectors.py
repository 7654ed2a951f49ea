"""Face detectors by name, imported only when they are chosen.

A package joins by an entry point in the group ``emodetect.detectors`` whose object is called without arguments and returns a
`SimpleDetector`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from emodetect.errors import ModelError, UsageError, about
from emodetect.faces.detector import DetectorSettings, FaceDetector
from emodetect.text.suggestions import did_you_mean

if TYPE_CHECKING:  # names are wanted without OpenCV, to complete a command line
    from emodetect.faces.haar import HaarDetector

_log = logging.getLogger(__name__)

GROUP = "emodetect.detectors"

DETECTORS = ("both", "haar", "blazeface", "none")
"""Names of the detectors that come with emodetect."""


USE_CASCADE = ("both", "haar")
"""Those among them that take the cascade's options."""


def detector_names() -> list[str]:
    """The names that `create_detector` takes: the built-in ones first."""
    return [*DETECTORS, *plugins()]


def plugins() -> dict[str, EntryPoint]:
    """The detectors of other packages by name, in alphabetical order, not imported; none can replace a built-in one."""
    points = {point.name: point for point in entry_points(group=GROUP) if point.name not in DETECTORS}
    return dict(sorted(points.items()))


def create_detector(settings: DetectorSettings) -> FaceDetector:
    """Make a face detector.

    Args:
        settings: its name is one of `detector_names`. "both" is the network, and the cascade where the network sees nobody; where
            OpenCV has no cascades it is the network alone, which the logger ``emodetect`` says. Those that do not use the cascade
            use ``min_face`` alone of the others. "none", which takes each whole picture for one face, uses none.

    Raises:
        UsageError: there is no detector of that name.
        ModelError: the cascade file is missing or not a cascade, or the network is missing or damaged.
        BackendUnavailableError: the plug-in cannot be imported, or OpenCV has no cascades.
    """
    if settings.name == "none":
        from emodetect.faces.whole_picture import WholePicture

        return WholePicture()
    if settings.name == "haar":
        return _cascade(settings)
    if settings.name in ("both", "blazeface"):
        from emodetect.faces.blazeface import BlazeFaceDetector

        network = BlazeFaceDetector(min_face=settings.min_face)
        if settings.name == "blazeface":
            return network
        from emodetect.faces.cascade_file import missing_classifier

        if missing := missing_classifier():
            _log.warning("%s, so that the network alone finds faces", missing)
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
    """What makes each detector that looks for faces, by name; the one of the settings first, the others in their order."""
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
