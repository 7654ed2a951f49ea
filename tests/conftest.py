"""Fixtures that several test modules share."""

from __future__ import annotations

import signal

import cv2
import numpy as np
import pytest

from emodetect.types import Image
from tests.builders import PHOTO, MovingClip, write_moving_clip

# A shell starts background jobs with SIGINT ignored, and their children inherit it; the programs under test must be
# interruptible all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def moving_clip(tmp_path_factory: pytest.TempPathFactory) -> MovingClip:
    """75 frames of 640x360 at 25 a second with one face whose true box is known in each; do not write to the file."""
    return write_moving_clip(tmp_path_factory.mktemp("clip") / "moving.mp4")


@pytest.fixture(scope="session")
def photo() -> Image:
    """The example photo, uint8 (512, 512, 3) BGR, one face at `PHOTO_FACE`; do not draw on it."""
    image = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    image.flags.writeable = False
    return image
