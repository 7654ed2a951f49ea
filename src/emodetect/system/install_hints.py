"""Commands that repair an installation. A command is at the end of its line, ready to paste, and for this Python."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path


def pip(arguments: str) -> str:
    """A pip command for this Python, which is named if another pip comes first on the path."""
    found = shutil.which("pip")
    is_ours = found is not None and Path(found).parent == Path(sys.executable).parent
    return f"{'pip' if is_ours else f'{shlex.quote(sys.executable)} -m pip'} {arguments}"


OPENCV_CURE = (
    f"{pip('uninstall -y opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless')} && "
    + pip('install "opencv-python>=4.13,<5"')
)
"""Keeps the one wheel that can open windows. All wheels write the same files, and removing one breaks the others."""

FFMPEG_CURE = pip("install --force-reinstall --no-deps imageio-ffmpeg")

_DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}
"""Packages whose modules have other names."""

_IN_FOLDER = "in the folder of emodetect"

EMODETECT_CURE = f"{_IN_FOLDER}: {pip('install --force-reinstall --no-deps .')}"

DEEPFACE_CURE = pip('install "deepface>=0.0.99,<0.0.102" "retina-face<0.0.19" tf-keras')

KERAS_CURE = pip('install "keras>=3"')

KERAS2_CURE = pip('install "tf-keras>=2.20"')


def extra_cure(extra: str) -> str:
    """Command that installs the packages of an extra.

    It works in any folder, and does not install the packages that a light installation omits.

    Args:
        extra: its name in pyproject.toml, such as "serve".
    """
    packages = [text for text, of in _requirements() if of == extra]
    if not packages:  # emodetect itself is not installed
        return f"{_IN_FOLDER}: " + pip(f'install ".[{extra}]"')
    return pip(f"install {' '.join(map(shlex.quote, packages))}")


def package_cure(module: str) -> str:
    """A command that installs or reinstalls the package of a module, in a version that emodetect can use."""
    if module == "cv2":
        return OPENCV_CURE
    name = _DISTRIBUTIONS.get(module, module.replace("_", "-"))
    wanted = next((text for text, _ in _requirements() if re.match(rf"{re.escape(name)}(?![\w.-])", text)), name)
    return pip(f"install {'--force-reinstall --no-deps ' if is_installed(name) else ''}{shlex.quote(wanted)}")


def is_installed(name: str) -> bool:
    """Whether a package of this name is installed, intact or not."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _requirements() -> Iterator[tuple[str, str | None]]:
    """The requirements of emodetect without their conditions, each with the extra that it belongs to."""
    try:
        texts = requires("emodetect") or ()
    except PackageNotFoundError:
        return
    for text in texts:
        requirement, _, condition = text.partition(";")
        extra = re.search(r"extra == ['\"](.+?)['\"]", condition)
        yield requirement.strip(), extra[1] if extra else None
