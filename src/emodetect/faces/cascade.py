"""Path of the bundled cascade; imported without OpenCV, so that `emodetect doctor` can check the file."""

from __future__ import annotations

from pathlib import Path

from emodetect.errors import ModelError

CASCADE_NAME = "haarcascade_frontalface_default.xml"


def default_cascade() -> Path:
    """Path of the bundled frontal-face cascade: in the installed package, or beside ``src`` in a checkout.

    Raises:
        ModelError: the file is missing.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "haarcascades", package.parents[1] / "haarcascades"):
        if (folder / CASCADE_NAME).is_file():
            return folder / CASCADE_NAME
    raise ModelError(f"{package / 'haarcascades' / CASCADE_NAME}: missing; install emodetect again")
