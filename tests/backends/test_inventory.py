from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from emodetect.backends import inventory
from emodetect.backends.deepface_weights import WEIGHTS_NAME
from emodetect.backends.inventory import list_backends
from tests.builders import write_plugin
from tests.cli.running import run

SOURCES = {
    "working": "def create(model, labels): ...\n",
    "lacking": "import emodetect_test_absent\n",
    "failing": "raise RuntimeError('no licence')\n",
}
"""What each plug-in's module says, by its name."""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that bring backends along: one that works, one that lacks a package, and one that fails."""
    for name, source in SOURCES.items():
        write_plugin(tmp_path, f"emodetect_test_{name}", source, {name: f"emodetect_test_{name}:create"})
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plugins")
def test_plug_ins_are_listed_with_their_packages_and_what_they_lack() -> None:
    states = {state.name: state for state in list_backends()}

    assert states["working"].available
    assert "emodetect_test_working 1.0" in states["working"].reads
    assert not states["lacking"].available
    assert "emodetect_test_absent" in states["lacking"].detail
    assert not states["failing"].available
    assert states["failing"].detail == "RuntimeError: no licence"
    assert states["lacking"].cure
    assert states["failing"].cure


def test_what_is_not_installed_is_named_with_the_command_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = inventory._version
    absent = {"onnxruntime", "tensorflow"}
    monkeypatch.setattr(inventory, "_version", lambda package: None if package in absent else known(package))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    embedded, keras, deepface = list(list_backends())[:3]

    assert (embedded.available, embedded.detail, embedded.cure) == (False, "onnxruntime not installed", "pip install onnxruntime")
    assert (keras.available, keras.cure) == (False, "pip install tensorflow")
    assert (deepface.available, deepface.detail) == (False, "tensorflow not installed")
    assert "deepface>=" in deepface.cure


def test_deepface_without_and_with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    without = list(list_backends())[2]
    path = tmp_path / ".deepface" / "weights" / WEIGHTS_NAME
    path.parent.mkdir(parents=True)
    path.touch()

    assert not without.available
    assert WEIGHTS_NAME in without.cure
    assert list(list_backends())[2].available


def test_the_command_lists_them_as_a_table_and_as_json() -> None:
    shown, data = run("backends"), run("backends", "--format", "json")

    assert (shown.returncode, data.returncode) == (0, 0)
    assert re.search(r"^ok +cnn +the embedded network", shown.stdout, re.MULTILINE)
    first = json.loads(data.stdout)[0]
    assert list(first) == ["name", "reads", "available", "detail", "cure"]
    assert first["available"] is True
