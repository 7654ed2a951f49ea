from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.registry import create_backend
from emodetect.errors import UsageError
from emodetect.types import EMOTIONS, Image
from tests.builders import PHOTO


@pytest.fixture
def home(deepface_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPFACE_HOME", str(deepface_home))
    return deepface_home


def test_scores_equal_those_of_analyze(home: Path, face_crops: list[Image]) -> None:
    with create_backend("deepface") as backend:
        found = backend.classify(face_crops)
        assert backend.classify([]).shape == (0, 7)
    from deepface import DeepFace

    for crop, scores in zip(face_crops, found, strict=True):
        answer = DeepFace.analyze(crop, actions=["emotion"], detector_backend="skip", enforce_detection=False, silent=True)
        expected = [answer[0]["emotion"][emotion.value] / 100 for emotion in EMOTIONS]
        np.testing.assert_allclose(scores, expected, atol=1e-3)
    # Only scores that differ between faces can show a wrong scaling, channel order or padding.
    assert np.ptp(found, axis=0).max() > 0.2


def test_a_mistake_in_the_preparation_would_show(home: Path, face_crops: list[Image]) -> None:
    with create_backend("deepface") as backend:
        right = backend.classify(face_crops)
        swapped = backend.classify([np.ascontiguousarray(crop[..., ::-1]) for crop in face_crops])
        darker = backend.classify([crop // 2 for crop in face_crops])

    assert np.abs(right - swapped).max() > 5e-3
    assert np.abs(right - darker).max() > 5e-3


@pytest.mark.parametrize(("model", "labels"), [("model.h5", None), (None, ["happy"])])
def test_it_takes_neither_a_model_nor_labels(model: str | None, labels: list[str] | None) -> None:
    with pytest.raises(UsageError, match="cannot be combined with `backend` deepface"):
        create_backend("deepface", model, ModelConventions.of(labels))


def run_emodetect(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A proxy on a closed port of this machine: the download fails at once, as it does without a network.
    dead = "http://127.0.0.1:9"
    environment = os.environ | {"DEEPFACE_HOME": str(home), "https_proxy": dead, "http_proxy": dead}
    return subprocess.run(
        [sys.executable, "-m", "emodetect", *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


def test_without_weights_and_network_one_line_says_what_to_put_where(tmp_path: Path) -> None:
    done = run_emodetect(tmp_path, "image", str(PHOTO), "--backend", "deepface")

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "facial_expression_model_weights.h5" in done.stderr
    assert str(tmp_path / ".deepface" / "weights") in done.stderr


def test_broken_weights_get_one_line(tmp_path: Path) -> None:
    path = tmp_path / ".deepface" / "weights" / "facial_expression_model_weights.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a download")

    done = run_emodetect(tmp_path, "image", str(PHOTO), "--backend", "deepface")

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert f"{path}: DeepFace cannot read its weights" in done.stderr


def test_nothing_but_the_result_is_printed(home: Path) -> None:
    done = run_emodetect(home, "image", str(PHOTO), "--backend", "deepface")

    assert done.returncode == 0
    assert done.stderr == ""
    assert "astronaut.jpg" in done.stdout
    assert "DEPRECATION" not in done.stdout


def test_it_works_beside_a_keras_model_in_one_process(home: Path, happy_when_bright: Path) -> None:
    script = f"""
import emodetect
with emodetect.open_pipeline(model={str(happy_when_bright)!r}), emodetect.open_pipeline(backend="deepface") as pipeline:
    assert emodetect.analyze({str(PHOTO)!r}, model={str(happy_when_bright)!r}).readings
    assert emodetect.analyze({str(PHOTO)!r}, backend="deepface").readings
"""
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stderr
