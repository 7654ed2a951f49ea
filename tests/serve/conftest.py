"""Servers that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.serving import Client, served


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    """A server with the default settings."""
    with served() as running:
        yield running
