"""The checks of `emodetect doctor`, one module per kind, and their order.

The doctor must work on a broken installation: heavy packages are imported inside the checks, and an exception in a check is
reported as a fault.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emodetect.doctor import cameras, deepface, display, files, keras, onnx_runtime, opencv, packages
from emodetect.doctor.check import Check, Status
from emodetect.errors import broken_package, first_line
from emodetect.system.install_hints import package_cure


@dataclass(frozen=True)
class _CheckGroup:
    """A group of checks on one subject.

    Attributes:
        name: the subject.
        run: runs the checks.
        needs_opencv: whether they need OpenCV.
        needs_desktop: whether they are skipped on servers, which have no display and no camera.
    """

    name: str
    run: Callable[[], Iterator[Check]]
    needs_opencv: bool = False
    needs_desktop: bool = False


_CHECK_GROUPS = (
    _CheckGroup("Python", packages.check_python),
    _CheckGroup("packages", packages.check_packages),
    _CheckGroup("OpenCV wheels", opencv.check_wheels),
    _CheckGroup("OpenCV", opencv.check_import),
    _CheckGroup("windows", opencv.check_windows, needs_opencv=True, needs_desktop=True),
    _CheckGroup("display", display.check_display, needs_desktop=True),
    _CheckGroup("cameras", cameras.check_cameras, needs_opencv=True, needs_desktop=True),
    _CheckGroup("FFmpeg", files.check_ffmpeg),
    _CheckGroup("cascade", files.check_cascade),
    _CheckGroup("network", files.check_network),
    _CheckGroup("face network", files.check_face_network),
    _CheckGroup("ONNX Runtime", onnx_runtime.check_runtime),
    _CheckGroup("speed", onnx_runtime.check_speed, needs_opencv=True),
    _CheckGroup("Keras", keras.check_keras),
    _CheckGroup("Keras 2", keras.check_keras2),
    _CheckGroup("DeepFace", deepface.check_deepface),
)


def examine(*, headless: bool = False) -> Iterator[Check]:
    """Run all checks in order.

    Args:
        headless: skip windows, display and cameras, which servers do not have.
    """
    has_opencv = True
    for group in _CHECK_GROUPS:
        if headless and group.needs_desktop:
            continue
        if group.needs_opencv and not has_opencv:
            yield Check(group.name, Status.WARNING, "not checked, since OpenCV cannot be imported", "repair OpenCV first")
            continue
        found = collect_checks(group.name, group.run)
        if group.run is opencv.check_import:
            has_opencv = all(check.status is not Status.FAULT for check in found)
        yield from found


def collect_checks(name: str, run: Callable[[], Iterator[Check]]) -> list[Check]:
    """Run checks; an exception becomes a fault.

    Args:
        name: name of the fault.
        run: runs the checks.
    """
    try:
        return list(run())
    except Exception as error:
        trace = traceback.format_exc()
        if package := broken_package(error):
            detail = f"the package {package} is missing or broken ({first_line(error)})"
            return [Check(name, Status.FAULT, detail, package_cure(package), trace)]
        detail = f"cannot be looked at: {type(error).__name__}: {first_line(error)}"
        return [Check(name, Status.FAULT, detail, "emodetect doctor `debug` shows where", trace)]


__all__ = ["Check", "Status", "collect_checks", "examine"]
