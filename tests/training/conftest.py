"""Fixtures of the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.data_sets import write_data_set, write_votes


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and three test pictures a label; do not change them."""
    return write_data_set(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="session")
def votes(data_set: Path) -> Path:
    """FER+ votes for `data_set`."""
    return write_votes(data_set / "votes.csv", data_set)
