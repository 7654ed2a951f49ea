"""Checks of Python and of the packages that emodetect requires."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from emodetect.doctor.check import Check, Status
from emodetect.system.install_hints import EMODETECT_CURE, OPENCV_CURE, pip

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_OPTIONAL = {
    "deepface": "the backend deepface",
    "matplotlib": "plots",
    "onnx": "your own ONNX models",
    "retina-face": "the backend deepface",
    "scikit-learn": "train and evaluate",
    "scipy": "train and evaluate",
    "tensorflow": "Keras models and training",
    "tf-keras": "the backend deepface and Keras 2 models",
}
"""Requirements that the light installation omits, and their purpose."""

_NEWEST = (3, 13)
"""Newest Python version that is tested."""


def check_python() -> Iterator[Check]:
    """The interpreter, and whether its version is tested."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    if sys.version_info[:2] > _NEWEST:
        newest = ".".join(map(str, _NEWEST))
        yield Check("Python", Status.WARNING, f"{detail}; newer than was tested", f"use Python {newest} where something fails")
    else:
        yield Check("Python", Status.OK, detail)


def check_packages() -> Iterator[Check]:
    """The installed versions, compared with the requirements in emodetect's metadata."""
    from packaging.requirements import Requirement
    from packaging.version import InvalidVersion, Version

    try:
        needed = [Requirement(text) for text in requires("emodetect") or ()]
    except PackageNotFoundError:
        detail = "emodetect itself is not installed, so its requirements are not known"
        yield Check("packages", Status.WARNING, detail, EMODETECT_CURE)
        return
    fitting, details, left_out = [], [], []
    unfit, broken = [], []
    for requirement in needed:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = requirement.name
        try:
            found = Version(version(name))
        except PackageNotFoundError:
            if name in _OPTIONAL:
                left_out.append(requirement)
                continue
            details.append(f"{name} is missing")
            unfit.append(requirement)
        except (InvalidVersion, KeyError, TypeError):  # damaged metadata without a version
            details.append(f"{name} is broken")
            broken.append(requirement)
        else:
            if requirement.specifier.contains(found, prereleases=True):
                fitting.append(f"{name} {found}")
            else:
                details.append(f"{name} {found} is not {requirement.specifier}")
                unfit.append(requirement)
    if details:
        yield Check("packages", Status.FAULT, ", ".join(details), " && ".join(_cures(unfit, broken)))
    else:
        yield Check("packages", Status.OK, ", ".join([f"emodetect {version('emodetect')}", *fitting]))
    if left_out:
        needs = [f"{requirement.name} ({_OPTIONAL[requirement.name]})" for requirement in left_out]
        cure = " && ".join(_cures(left_out, ()))
        yield Check("other packages", Status.WARNING, f"not installed: {', '.join(needs)}", cure)


def _cures(unfit: Sequence[Requirement], broken: Sequence[Requirement]) -> Iterator[str]:
    """Commands that install or reinstall packages. OpenCV has its own, since its wheels overwrite each other."""
    if any(requirement.name == "opencv-python" for requirement in (*unfit, *broken)):
        yield OPENCV_CURE
    for options, requirements in (("", unfit), ("--force-reinstall --no-deps ", broken)):
        names = [f"{other.name}{other.specifier}" for other in requirements if other.name != "opencv-python"]
        if names:
            yield pip(f"install {options}{' '.join(map(shlex.quote, names))}")
