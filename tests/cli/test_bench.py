from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from emodetect.backends.labels import TUTORIAL_LABELS
from emodetect.benchmark.startup import Start
from tests.builders import MovingClip
from tests.cli.running import assert_one_line, run, run_here
from tests.model_files import save_deepface_weights, tutorial_model

STAGES = ["decode", "find", "verify", "track", "crop", "classify", "smooth"]


def check(record: dict[str, Any], backend: str, model: str | None, frames: int) -> None:
    """One object of the contract; no figure is judged, since it depends on the machine."""
    assert list(record)[:8] == [
        "backend", "model", "frames", "faces", "frames_per_second", "stages_ms", "startup_seconds", "peak_memory_mb",
    ]  # fmt: skip
    assert (record["backend"], record["model"]) == (backend, model)
    assert (record["frames"], record["faces"]) == (frames, frames)
    assert sorted(record["stages_ms"]) == sorted(STAGES)
    for stage in record["stages_ms"].values():
        assert list(stage) == ["median", "p95"]
        assert 0 <= stage["median"] <= stage["p95"]
    assert all(record[name] > 0 for name in ("frames_per_second", "startup_seconds", "peak_memory_mb"))


def test_json_is_an_object_a_configuration_the_embedded_network_first(moving_clip: MovingClip) -> None:
    arguments = ("--source", moving_clip.path, "--frames", 20, "--rounds", 1, "--model", "ferplus", "--format", "json")
    done = run("bench", *map(str, arguments))

    assert done.returncode == 0, done.stderr
    embedded, other = json.loads(done.stdout)
    check(embedded, "cnn", "embedded", 20)
    check(other, "cnn", "ferplus", 20)
    assert "tutorial" not in embedded


def test_the_table_of_a_made_clip_is_for_people() -> None:
    done = run("bench", "--frames", "12", "--rounds", "1")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["embedded"]
    rows = [line[:18].rstrip() for line in lines[1:]]
    assert rows[:2] == ["frames per second", "ms per frame (p95)"]
    assert [f"  {stage}" for stage in STAGES] == rows[2 : 2 + len(STAGES)]
    assert rows[2 + len(STAGES) :] == ["start, seconds", "most memory, MiB", "frames", "faces read"]


def test_verbose_says_what_is_measured_and_on_what(moving_clip: MovingClip) -> None:
    done = run("bench", "--source", moving_clip.path, "--frames", "12", "--rounds", "1", "--model", "ferplus", "--verbose")

    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert f"emodetect: clip: {moving_clip.path}; 12 frames at most, 1 round" in said
    assert "emodetect: backend cnn: embedded" in said
    assert "emodetect: backend cnn: ferplus" in said
    assert any("core" in line and "opencv-python" in line for line in said)
    assert "emodetect: round 1 of 1: ferplus" in said


@pytest.fixture
def no_weights(tmp_path: Path) -> dict[str, str]:
    """An environment in which DeepFace has no weights and gets none."""
    dead = "http://127.0.0.1:9"
    return {"DEEPFACE_HOME": str(tmp_path), "https_proxy": dead, "http_proxy": dead}


def test_without_deepfaces_weights_one_line_says_how_to_get_them(moving_clip: MovingClip, no_weights: dict[str, str]) -> None:
    done = run("bench", "--source", moving_clip.path, "--compare", "tutorial", env=no_weights)

    assert_one_line(done, 1, "DeepFace's weights are missing", "put facial_expression_model_weights.h5 into")
    assert "ValueError" not in done.stderr


@pytest.mark.filterwarnings("ignore")  # as in a process of its own
def test_a_keras_file_is_compared_without_deepfaces_weights(
    moving_clip: MovingClip, tmp_path: Path, no_weights: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in no_weights.items():
        monkeypatch.setenv(name, value)
    for name in ("measure_start", "start_tutorial"):  # measured below
        monkeypatch.setattr(f"emodetect.benchmark.measure.{name}", lambda *_: Start(1.0, 100.0))
    model = tmp_path / "model.keras"
    tutorial_model().save(model)
    arguments = ("--source", moving_clip.path, "--frames", "12", "--rounds", "1", "--model", model, "--compare", "tutorial")
    said = ("--labels", ",".join(TUTORIAL_LABELS), "--scaling", "0..1")
    done = run_here("bench", *arguments, *said)

    assert_one_line(done, 0, "DeepFace's weights are missing", "only the Keras file is compared")
    (loop,) = [line.split() for line in done.stdout.splitlines() if line.startswith("  times faster")]
    assert len(loop) == 3  # two words, and one figure for two models


def test_the_tutorials_loops_are_measured_beside(
    moving_clip: MovingClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPFACE_HOME", os.environ.get("DEEPFACE_HOME", ""))  # restored at the end
    save_deepface_weights(tmp_path)
    model = tmp_path / "model.keras"
    tutorial_model().save(model)
    arguments = ("--source", moving_clip.path, "--frames", 12, "--rounds", 1, "--model", model, "--backend", "deepface")
    done = run("bench", *map(str, arguments), "--compare", "tutorial", "--format", "json", env={"DEEPFACE_HOME": str(tmp_path)})

    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    wanted = [("cnn", "embedded", "deepface"), ("deepface", None, "deepface"), ("cnn", str(model), "keras")]
    for record, (backend, name, loop) in zip(records, wanted, strict=True):
        check(record, backend, name, 12)
        tutorial = record["tutorial"]
        assert (tutorial["loop"], tutorial["frames"]) == (loop, 12)
        assert tutorial["faces"] >= 10
        assert tutorial["times_faster"] == pytest.approx(record["frames_per_second"] / tutorial["frames_per_second"], abs=0.01)
        assert tutorial["startup_seconds"] > 0
        assert tutorial["peak_memory_mb"] > 0


def test_bad_input(tmp_path: Path) -> None:
    assert_one_line(run_here("bench", "--source", tmp_path / "none.mp4"), 1, "none.mp4: no such file")
    assert_one_line(run_here("bench", "--model", tmp_path / "none.onnx"), 1, "none.onnx", "no such model file")
    assert run_here("bench", "--backend", "nobody").returncode == 2
    assert run_here("bench", "--compare", "nobody").returncode == 2
