"""Models and plug-ins that mean harm, or are merely broken, on the command line."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from emodetect.sources.images import read_image
from tests.builders import PHOTO, write_clip, write_plugin
from tests.cli.running import TIMEOUT, assert_one_line, run, started
from tests.waiting import wait_until

PLUGIN = """
import os, sys
import numpy as np
from emodetect.backends.base import EmotionBackend

class Odd(EmotionBackend):
    name, asked = "odd", 0

    def __init__(self, model):
        self.model = model

    def classify(self, crops):
        self.asked += 1
        if self.model == "prints":
            print("not a result")
            os.write(1, b"nor this")
        if self.model == "leaves" and self.asked > 3:
            sys.exit(0)
        if self.model == "forks":
            os.fork()
        return np.full((len(crops), 7), 1 / 7, np.float32)

create = lambda model, labels: Odd(model)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str | None]:
    """The environment of a run that has the plug-in."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    write_plugin(folder, "odd_backend", PLUGIN, {"odd": "odd_backend:create"})
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """An ONNX file of a loop that ends in some years."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("v", "w")]
    flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "d")]
    count = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    nodes = [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])]
    body = helper.make_graph(nodes, "body", [count, flags[0], values[0]], [flags[1], values[1]])
    graph = helper.make_graph(
        [
            helper.make_node("Loop", ["often", "yes", "x"], ["same"], body=body),
            helper.make_node("ReduceMean", ["same", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "kernel"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["y"]),
        ],
        "endless",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 48, 48, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 7])],
        [
            numpy_helper.from_array(np.array(10**15), "often"),
            numpy_helper.from_array(np.array(True), "yes"),
            numpy_helper.from_array(np.array([1, 2]), "axes"),
            numpy_helper.from_array(np.ones((1, 7), np.float32), "kernel"),
        ],
    )
    path = tmp_path / "endless.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString())
    return path


def running_with(variable: str) -> list[int]:
    """The processes that have this among their variables, and are no zombies."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it has ended, or is not ours
                continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP])
def test_a_model_that_never_loads_ends_with_the_program(endless: Path, tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with started("image", PHOTO, "--model", endless, changes={"TMPDIR": str(temporary)}) as process:
        wait_until(lambda: len(running_with(f"TMPDIR={temporary}")) == 2, "the model's process")
        wait_until(lambda: list(temporary.glob("*/endless.onnx")), "the model's copy")
        process.send_signal(number)
        code = process.wait(timeout=TIMEOUT)
    wait_until(lambda: not running_with(f"TMPDIR={temporary}"), "the end of the model's process")

    assert code == {signal.SIGKILL: -9}.get(number, 128 + number)
    assert list(temporary.rglob("*.onnx")) == []
    if number == signal.SIGKILL:  # the folder is removed by the next command that needs one
        assert run("video", tmp_path / "no.mp4", env={"TMPDIR": str(temporary)}).returncode == 1
    assert list(temporary.iterdir()) == []


def test_a_session_that_ends_while_a_model_is_loading_leaves_nothing(endless: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    clip = write_clip(tmp_path / "clip.mp4", [read_image(PHOTO)] * 8)
    options = ("--loop", "--no-window", "--log", tmp_path / "log.jsonl", "--duration", "2")
    done = run("live", "--source", clip, "--model", endless, *options, env={"TMPDIR": str(temporary)})

    assert done.returncode == 0, done.stderr
    assert "it ended before the backend was loaded" in done.stderr
    assert list(temporary.iterdir()) == []


def test_a_limit_that_is_none_is_misuse() -> None:
    done = run("image", PHOTO, "--max-model-memory", "much")
    assert done.returncode == 2
    assert "'much' is no size: expected a number with a unit, such as 4GB or 500MB" in done.stderr


def test_a_model_that_needs_more_than_it_may_is_told_with_the_option(endless: Path) -> None:
    done = run("image", PHOTO, "--model", "ferplus", "--max-model-memory", "1MB")
    assert done.returncode == 2
    assert "1 MB is out of range: at least 256 MB" in done.stderr


def test_a_plug_in_that_leaves_is_an_error(plugin: dict[str, str | None], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [read_image(PHOTO)] * 8)
    log, report = tmp_path / "log.jsonl", tmp_path / "report.html"
    done = run("video", clip, "--backend", "odd", "--model", "leaves", "--log", log, "--report", report, env=plugin)

    assert_one_line(done, 1, "the backend odd ended its process by sys.exit(0)")
    assert not report.exists()


def test_what_a_plug_in_prints_is_no_result(plugin: dict[str, str | None]) -> None:
    done = run("image", PHOTO, "--backend", "odd", "--model", "prints", "--format", "json", env=plugin)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)[0]["faces"]) == 1
    assert "not a result" in done.stderr


def test_a_plug_in_that_forks_is_an_error_and_nothing_is_said_twice(plugin: dict[str, str | None]) -> None:
    done = run("image", PHOTO, "--backend", "odd", "--model", "forks", "--format", "json", env=plugin)
    assert_one_line(done, 1, "the backend odd forked")
    assert len(json.loads(done.stdout)) == 1
