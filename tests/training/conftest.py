"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emodetect.backends.keras_import import import_keras
from tests.training.data_sets import write_data_set, write_votes


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and three test pictures a label; do not change them."""
    return write_data_set(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="session")
def votes(data_set: Path) -> Path:
    """FER+ votes for `data_set`."""
    return write_votes(data_set / "votes.csv", data_set)


@pytest.fixture
def eager() -> Iterator[None]:
    """Has TensorFlow compute step by step: for a few faces, to build the graph of a large network takes most of the time."""
    import_keras()
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)
