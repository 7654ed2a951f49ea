"""Model files that several backend tests share; each is made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emodetect.sources.images import read_image
from emodetect.types import Image
from tests.builders import PHOTO
from tests.model_files import known_order_model, save_deepface_weights, tutorial_model


@pytest.fixture(scope="session")
def face_crops() -> list[Image]:
    """Crops of different content, size and proportion, among them a real face and one smaller than any input."""
    photo = read_image(PHOTO)
    return [
        photo[66:158, 178:270],
        photo[66:158, 178:228],
        photo[60:100, 178:270],
        photo[300:500, 100:300],
        photo[0:10, 0:12],
        255 - photo[66:158, 178:270],
    ]


@pytest.fixture(scope="session")
def gray_levels() -> list[Image]:
    """A dark and a bright crop."""
    return [np.full((40, 30, 3), 5, np.uint8), np.full((60, 60, 3), 250, np.uint8)]


@pytest.fixture(scope="session")
def tutorial_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tutorial's script leaves behind: a compiled model, saved as HDF5."""
    path = tmp_path_factory.mktemp("tutorial") / "model.h5"
    tutorial_model().save(path)
    return path


@pytest.fixture(scope="session")
def tutorial_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in Keras's own format."""
    path = tmp_path_factory.mktemp("tutorial") / "model.keras"
    tutorial_model().save(path)
    return path


@pytest.fixture(scope="session")
def happy_when_bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras file whose fourth output, 'happy' in the alphabetical order, wins on a bright picture."""
    path = tmp_path_factory.mktemp("known") / "bright.keras"
    known_order_model(7, position=3).save(path)
    return path


@pytest.fixture(scope="session")
def deepface_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``DEEPFACE_HOME`` with weights."""
    home = tmp_path_factory.mktemp("deepface")
    save_deepface_weights(home)
    return home
