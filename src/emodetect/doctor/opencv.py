"""Checks of OpenCV: its wheels, which overwrite each other, the system libraries that it needs, and its windows."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution
from importlib.util import find_spec
from pathlib import Path

from emodetect.doctor.check import Check, Status
from emodetect.errors import first_line
from emodetect.system.child_processes import run_child
from emodetect.system.display import window_problem, window_toolkit
from emodetect.system.install_hints import OPENCV_CURE
from emodetect.system.native_output import quiet_native_output

_WHEELS = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
"""OpenCV wheels. All contain the same module, cv2, so that the one installed last overwrites the others."""

_DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libstdc++.so.6": "libstdc++6",
    "libxcb.so.1": "libxcb1",
    "libz.so.1": "zlib1g",
}
"""Debian and Ubuntu packages of libraries that cv2 needs."""

_BUNDLED = re.compile(r"-[0-9a-f]{8}\.")
"""Names of the libraries that the wheel itself contains."""


def check_wheels() -> Iterator[Check]:
    """Which OpenCV wheels are installed, and whether their files are unchanged."""
    wheels = [wheel for name in _WHEELS if (wheel := _installed(name))]
    named = " and ".join(f"{wheel.name} {wheel.version}" for wheel in wheels)
    changed = [wheel.name for wheel in wheels if not all(map(_is_intact, _native_modules(wheel)))]
    if not wheels:
        if find_spec("cv2") is None:
            yield Check("OpenCV wheels", Status.FAULT, "none is installed", OPENCV_CURE)
        else:
            yield Check("OpenCV wheels", Status.OK, "none; cv2 was installed in another way than by pip")
    elif len(wheels) > 1:
        whose = f"; cv2 is no longer the one of {' and '.join(changed)}" if changed else ""
        detail = f"{named} overwrite each other's files{whose}"
        yield Check("OpenCV wheels", Status.FAULT if changed else Status.WARNING, detail, OPENCV_CURE)
    elif changed:
        yield Check("OpenCV wheels", Status.FAULT, f"{named}: its cv2 is missing, damaged or overwritten", OPENCV_CURE)
    else:
        yield Check("OpenCV wheels", Status.OK, named)


def check_import() -> Iterator[Check]:
    """Whether cv2 can be imported and has the functions that emodetect uses; if not, which system libraries are missing."""
    folder = _folder()  # first, since importing cv2 changes the path
    try:
        with quiet_native_output():
            import cv2
    except Exception as error:  # NumPy raises other errors for modules built for another version
        yield _cannot_be_imported(error, folder)
        return
    if not hasattr(cv2, "imread"):
        yield Check("OpenCV", Status.FAULT, f"cv2 is empty: {folder} was taken apart, as by pip uninstall", OPENCV_CURE)
    elif not hasattr(cv2, "CascadeClassifier"):
        detail = f"OpenCV {cv2.__version__} has no cascade classifier: the network alone finds faces"
        yield Check("OpenCV", Status.WARNING, detail, OPENCV_CURE)
    else:
        yield Check("OpenCV", Status.OK, f"{cv2.__version__} from {folder}")


def check_windows() -> Iterator[Check]:
    """Whether this build of OpenCV can open windows, with the requested Qt plugin."""
    import cv2

    built = cv2.getBuildInformation()
    if problem := window_problem(built):
        yield Check("windows", Status.FAULT, problem.what, problem.cure)
    else:
        yield Check("windows", Status.OK, f"OpenCV opens them with {window_toolkit(built)}")


def library_cure(missing: list[str]) -> str:
    """Hint for installing these shared libraries."""
    packages = sorted({_DEBIAN_PACKAGES[name] for name in missing if name in _DEBIAN_PACKAGES})
    others = [name for name in missing if name not in _DEBIAN_PACKAGES]
    if any(_BUNDLED.search(name) for name in others):
        return OPENCV_CURE
    cures = [f"sudo apt-get install {' '.join(packages)} (Debian, Ubuntu)"] if packages else []
    cures += [f"install the system's package that holds {', '.join(others)}"] if others else []
    return "; ".join(cures)


def _cannot_be_imported(error: Exception, folder: Path | None) -> Check:
    missing = _missing_libraries(folder)
    if not missing:
        return Check("OpenCV", Status.FAULT, f"cv2 cannot be imported: {first_line(error)}", OPENCV_CURE)
    are = "library {} is" if len(missing) == 1 else "libraries {} are"
    detail = f"cv2 cannot be imported: the system {are.format(', '.join(missing))} missing"
    return Check("OpenCV", Status.FAULT, detail, library_cure(missing))


def _missing_libraries(folder: Path | None) -> list[str]:
    """All shared libraries that cv2 needs and the system's loader does not find; the import error names only the first."""
    if folder is None or not sys.platform.startswith("linux") or shutil.which("ldd") is None:
        return []
    missing: dict[str, None] = {}
    for module in folder.glob("cv2*.so"):
        done = run_child(["ldd", str(module)])
        missing |= dict.fromkeys(re.findall(r"^\s*(\S+) => not found", os.fsdecode(done.stdout), re.MULTILINE))
    return list(missing)


def _folder() -> Path | None:
    """The folder of cv2, without importing it."""
    spec = find_spec("cv2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _native_modules(wheel: Distribution) -> list[PackagePath]:
    """The compiled cv2 module of a wheel, according to its RECORD."""
    return [path for path in wheel.files or () if path.parts[0] == "cv2" and path.suffix in {".so", ".pyd"}]


def _is_intact(path: PackagePath) -> bool:
    """Whether a file is unchanged since its wheel was installed, according to the checksum in RECORD."""
    try:
        content = Path(path.locate()).read_bytes()
    except OSError:
        return False
    if path.hash is None:
        return True
    digest = base64.urlsafe_b64encode(hashlib.new(path.hash.mode, content).digest()).rstrip(b"=").decode()
    return digest == path.hash.value
