"""The cascade file that comes with emodetect; found without OpenCV, so that `emodetect doctor` can look at it."""

from __future__ import annotations

from pathlib import Path

from emodetect.errors import ModelError

CASCADE_NAME = "haarcascade_frontalface_default.xml"


def default_cascade() -> Path:
    """The frontal-face cascade that comes with emodetect: in the installed package, or beside ``src`` in a checkout.

    Raises:
        ModelError: it is missing.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "haarcascades", package.parents[1] / "haarcascades"):
        if (folder / CASCADE_NAME).is_file():
            return folder / CASCADE_NAME
    raise ModelError(f"{package / 'haarcascades' / CASCADE_NAME}: missing; install emodetect again")
