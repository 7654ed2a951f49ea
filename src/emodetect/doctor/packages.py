"""Python, and the packages that emodetect requires."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from emodetect.doctor.check import Check, Status

_NEWEST = (3, 13)
"""The newest Python that the tests run on."""


def check_python() -> Iterator[Check]:
    """The interpreter, and whether the tests know it."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    if sys.version_info[:2] > _NEWEST:
        newest = ".".join(map(str, _NEWEST))
        yield Check("Python", Status.WARNING, f"{detail}; newer than was tested", f"use Python {newest} where something fails")
    else:
        yield Check("Python", Status.OK, detail)


def check_packages() -> Iterator[Check]:
    """The installed versions, against what emodetect's own metadata requires."""
    try:
        needed = [Requirement(text) for text in requires("emodetect") or ()]
    except PackageNotFoundError:
        cure = "pip install . in the folder of emodetect"
        yield Check("packages", Status.WARNING, "emodetect itself is not installed, so its requirements are not known", cure)
        return
    fitting, wrong, details = [], [], []
    for requirement in needed:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(requirement)
            details.append(f"{requirement.name} is missing")
            continue
        if requirement.specifier.contains(found, prereleases=True):
            fitting.append(f"{requirement.name} {found}")
        else:
            wrong.append(requirement)
            details.append(f"{requirement.name} {found} is not {requirement.specifier}")
    if wrong:
        names = " ".join(shlex.quote(f"{requirement.name}{requirement.specifier}") for requirement in wrong)
        yield Check("packages", Status.FAULT, ", ".join(details), f"pip install {names}")
    else:
        yield Check("packages", Status.OK, ", ".join([f"emodetect {version('emodetect')}", *fitting]))
