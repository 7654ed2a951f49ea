from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.registry import backend_names, create_backend
from emodetect.errors import BackendUnavailableError, UsageError
from tests.builders import ROOT, write_plugin

PLUGIN = """
from tests.builders import FakeBackend

class Plugin(FakeBackend):
    def __init__(self, model, labels):
        super().__init__()
        self.name = f"{model} {labels}"

def create(model, labels):
    return Plugin(model, labels)
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package, as pip leaves it, that brings backends along."""
    factories = {
        "zebra": "emodetect_test_plugin:create",
        "aardvark": "emodetect_test_plugin:create",
        "broken": "emodetect_test_missing_package:create",
        "halfway": "emodetect_test_plugin:forgotten",
        "cnn": "emodetect_test_plugin:create",
    }
    write_plugin(tmp_path, "emodetect_test_plugin", PLUGIN, factories)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_built_in_backends_are_there() -> None:
    assert backend_names()[:2] == ["cnn", "deepface"]


@pytest.mark.usefixtures("plugins")
def test_plug_ins_follow_the_built_in_ones_in_order_and_cannot_replace_them() -> None:
    names = backend_names()
    assert names[:2] == ["cnn", "deepface"]
    assert [name for name in names if name in {"zebra", "aardvark"}] == ["aardvark", "zebra"]
    assert names.count("cnn") == 1


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_gets_model_and_labels() -> None:
    with create_backend("zebra", "model.bin", ModelConventions.of(["happy", "sad"])) as backend:
        assert backend.name == "model.bin ['happy', 'sad']"


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_is_told_nothing_but_the_labels() -> None:
    with pytest.raises(UsageError, match=r"`scaling` and `channels` cannot be combined with `backend` zebra"):
        create_backend("zebra", "model.bin", ModelConventions.of(["happy"], "0..1", "bgr"))


@pytest.mark.usefixtures("plugins")
def test_the_built_in_cnn_is_ours_whatever_a_plug_in_is_called() -> None:
    with create_backend("cnn") as backend:
        assert type(backend).__module__.startswith("emodetect.")


@pytest.mark.parametrize("name", ["", "dlib", "CNN"])
def test_an_unknown_name_is_misuse_and_the_known_ones_are_listed(name: str) -> None:
    with pytest.raises(UsageError, match="cnn, deepface") as caught:
        create_backend(name)
    assert repr(name) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_whose_package_is_missing_is_unavailable_and_the_package_is_named() -> None:
    with pytest.raises(BackendUnavailableError, match="emodetect_test_missing_package"):
        create_backend("broken").load()


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_that_lacks_its_factory_is_unavailable() -> None:
    with pytest.raises(BackendUnavailableError, match="halfway"):
        create_backend("halfway").load()


def test_listing_names_imports_no_backend() -> None:
    code = (
        "import sys; from emodetect.backends.registry import backend_names; backend_names();"
        "print([n for n in ('tensorflow', 'keras', 'deepface', 'onnxruntime') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"
