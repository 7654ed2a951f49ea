"""Fixtures that several test modules share."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from emodetect.types import Image
from tests.builders import PHOTO, MovingClip, write_moving_clip

# A shell starts background jobs with SIGINT and SIGQUIT ignored, nohup with SIGHUP, and their children inherit it; the programs
# under test must be interruptible all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGQUIT", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_DFL)

SLOW_HELPERS = {"tests.cli.running", "tests.cli.desktop", "tests.model_files"}
"""Modules of helpers that start the program, open windows, or load TensorFlow."""

SLOW_MODULES = {
    "test_browser",
    "test_camera",
    "test_clips",
    "test_consumers",
    "test_file_backend",
    "test_keras2",
    "test_live",
    "test_measure_script",
    "test_mirrored",
    "test_nasty_values",
    "test_negatives",
    "test_notebook",
    "test_schedule",
    "test_threads",
}
"""Modules of tests that do so in other ways, or compute for long, in whatever folder they are."""


SLOWEST_FIRST = (
    *("test_train", "test_negatives", "test_own_architecture", "test_notebook", "test_export", "test_conventions_trial"),
    *("test_bench", "test_no_library_talks", "test_light_install", "test_measure_script", "test_live", "test_live_keys"),
    *("test_keras2", "test_file_backend", "test_deepface", "test_browser", "test_batch", "test_faults", "test_endings"),
    *("test_suspension", "test_camera", "test_image_resume", "test_nasty_values", "test_fuzz", "test_secrets"),
)
"""Modules in whose tests a process spends most time, which are run first, so that none of them is left for the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `-m "not slow"` leaves out, and begin with the longest."""
    names = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    assert names >= SLOW_MODULES | {*SLOWEST_FIRST}, f"there is no {(SLOW_MODULES | {*SLOWEST_FIRST}) - names}"
    for item in items:
        if isinstance(item, pytest.Function) and is_slow(item.module):
            item.add_marker(pytest.mark.slow)
    places = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def is_slow(module: ModuleType) -> bool:
    """Whether the tests of a module start processes, use a helper that does, or are known to take long."""
    return module.__name__.rpartition(".")[2] in SLOW_MODULES or any(
        value is subprocess or getattr(value, "__module__", None) in SLOW_HELPERS for value in vars(module).values()
    )


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let reports with file names that are not UTF-8 travel from xdist's processes."""
    data = yield
    return encodable(data)


def encodable(value: Any) -> Any:
    """The same with surrogates written as escapes."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(encodable, value))
    return value


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
