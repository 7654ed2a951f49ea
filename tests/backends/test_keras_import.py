from __future__ import annotations

import pytest

from emodetect.backends import keras_import
from emodetect.backends.keras_import import keras_cure
from emodetect.system.install_hints import KERAS_CURE, package_cure


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_keras_is_installed_with_the_backend_that_it_lacks(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(keras_import, "is_installed", lambda name: name != backend)

    assert keras_cure() == f"{KERAS_CURE} && {package_cure(backend)}"


def test_keras_alone_is_installed_where_its_backend_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_import, "is_installed", lambda name: True)

    assert keras_cure() == KERAS_CURE
