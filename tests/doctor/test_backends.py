from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from emodetect.backends import onnx_session
from emodetect.backends.deepface_weights import WEIGHTS_NAME
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.cli.group import cli
from emodetect.doctor import deepface, keras, onnx_runtime
from emodetect.doctor.backends import list_backends
from emodetect.system.install_hints import EMODETECT_CURE, package_cure
from tests.builders import absent, overlay, write_plugin
from tests.cli.running import run

SOURCES = {
    "working": "def create(model, labels): ...\n",
    "lacking": "import emodetect_test_absent\n",
    "failing": "raise RuntimeError('no license')\n",
    "leaving": "import sys; print('bye'); sys.exit(0)\n",
}
"""What each plug-in's module says, by its name."""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that bring backends along: one that works, and some that do not."""
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
    assert states["failing"].detail == "RuntimeError: no license"
    assert states["leaving"].detail == "the backend leaving ended its process by sys.exit(0)"
    assert states["lacking"].cure
    assert states["failing"].cure


def test_what_is_not_installed_is_named_with_the_command_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (keras, deepface):
        monkeypatch.setattr(module, "is_installed", lambda package: package != "tensorflow")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    embedded, of_onnx, of_keras, of_deepface = list(list_backends())[:4]

    assert not embedded.available
    assert not of_onnx.available
    assert "the package onnxruntime is missing or broken" in embedded.detail
    assert embedded.cure == package_cure("onnxruntime")
    assert (of_keras.available, of_keras.cure) == (False, package_cure("tensorflow"))
    assert not of_deepface.available
    assert of_deepface.detail.startswith("tensorflow not installed")
    assert "deepface>=" in of_deepface.cure


def test_onnx_files_need_the_package_that_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_runtime, "is_installed", lambda package: package != "onnx")

    embedded, of_onnx = list(list_backends())[:2]

    assert embedded.available
    assert (of_onnx.reads, of_onnx.available, of_onnx.cure) == (".onnx files", False, package_cure("onnx"))


@pytest.mark.parametrize(("broken", "unavailable"), [("cv2", [0, 1, 2, 3]), ("numpy", [0, 1, 2, 3]), ("onnxruntime", [0, 1])])
def test_what_cannot_work_is_not_ok(broken: str, unavailable: list[int], tmp_path: Path) -> None:
    environment = {**overlay(tmp_path, **{broken: absent(broken)}), **with_weights(tmp_path)}
    states = json.loads(run("backends", "--format", "json", env=environment).stdout)

    assert [index for index, state in enumerate(states) if not state["available"]] == unavailable
    for index in unavailable:
        assert broken in states[index]["detail"]
        assert states[index]["cure"]


def test_damaged_files_are_not_ok_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in with_weights(tmp_path, b"an error page").items():
        monkeypatch.setenv(name, value)
    network = tmp_path / EMBEDDED.name
    monkeypatch.setattr(onnx_session, "EMBEDDED", network)

    states = list(list_backends())

    assert [state.available for state in states[:4]] == [False, True, True, False]
    assert (states[0].detail, states[0].cure) == (f"{network} is missing", EMODETECT_CURE)
    assert states[3].detail.endswith("is damaged")


def with_weights(folder: Path, content: bytes = b"\x89HDF\r\n\x1a\n") -> dict[str, str]:
    """The environment of a run that finds DeepFace's weights here, or what else has this content."""
    path = folder / ".deepface" / "weights" / WEIGHTS_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"DEEPFACE_HOME": str(folder)}


def test_deepface_without_and_with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    without = list(list_backends())[3]
    with_weights(tmp_path)

    assert not without.available
    assert WEIGHTS_NAME in without.cure
    assert list(list_backends())[3].available


def test_the_command_lists_them_as_a_table_and_as_json() -> None:
    shown, data = run("backends"), run("backends", "--format", "json")

    assert (shown.returncode, data.returncode) == (0, 0)
    assert re.search(r"^ok +cnn +the embedded network", shown.stdout, re.MULTILINE)
    first = json.loads(data.stdout)[0]
    assert list(first) == ["name", "reads", "available", "detail", "cure"]
    assert first["available"] is True


def test_the_command_names_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("no")

    monkeypatch.setattr(keras, "check_keras", fail)
    cli.main(["backends"], standalone_mode=False)

    assert "emodetect doctor --debug shows where" in capsys.readouterr().out
