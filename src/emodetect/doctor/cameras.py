"""Checks of cameras."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from emodetect.doctor.check import Check, Status


def check_cameras() -> Iterator[Check]:
    """Cameras of the system; they are not opened."""
    from emodetect.sources.camera_list import list_cameras

    cameras = list_cameras()
    if cameras:
        yield Check("cameras", Status.OK, ", ".join(f"{camera.index}: {camera.name} ({camera.backend})" for camera in cameras))
    else:
        yield Check("cameras", Status.WARNING, "none found", _cure())


def _cure() -> str:
    if sys.platform == "darwin":
        return "plug one in, and allow the terminal to use it: System Settings, Privacy & Security, Camera"
    if sys.platform == "win32":
        return "plug one in, and allow apps to use it: Settings, Privacy & security, Camera"
    return "plug one in; if it is still not found, install its driver, or add your user to the group video"
