"""The fuzzer itself: that it finds what it looks for, and a short run of it; the long one is done by hand."""

from __future__ import annotations

import importlib
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import PHOTO, ROOT
from tests.cli.running import TIMEOUT, environment

TRAP = """
import importlib.machinery, importlib.util, os, sys, time
from pathlib import Path
from click.testing import CliRunner
sys.path[:0] = [{fuzz!r}, {root!r}]
import doors
from emodetect.errors import SourceError

def make(folder):
    (folder / "case.bin").write_bytes(bytes(100))
    return [folder / "case.bin"]

def refuse(path):
    raise SourceError("no")

WAYS = [lambda path: os.abort(), lambda path: time.sleep(600), lambda path: 1 / 0, refuse, lambda path: 0, lambda path: 1]
turns = Path({turns!r})

def let_in(path):
    turn = int(turns.read_text()) if turns.exists() else 0
    turns.write_text(str(turn + 1))
    return WAYS[turn](path)

doors.DOORS["image"] = doors.Door(make, let_in)
loader = importlib.machinery.SourceFileLoader("mutate", {fuzz!r} + "/mutate")
mutate = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate", loader))
loader.exec_module(mutate)
mutate.START_LIMIT = 10
mutate.main()
"""
"""The fuzzer with a door behind which a process ends, hangs, fails, refuses, and is fine."""


def test_it_counts_what_must_not_happen_goes_on_and_keeps_it(tmp_path: Path) -> None:
    script = TRAP.format(fuzz=str(ROOT / "fuzz"), root=str(ROOT), turns=str(tmp_path / "turns"))
    line = [sys.executable, "-c", script, "image", "--count", "6", "--limit", "5", "--keep", str(tmp_path / "kept")]

    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert done.returncode == 1, done.stderr
    assert done.stdout.strip() == "image, seed 0: 6 cases: 1 crash, 1 done, 1 hang, 2 refused, 1 traceback"
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    stems = ["image-0-0-crash", "image-0-1-hang", "image-0-2-traceback"]
    assert kept == sorted([*(stem + suffix for stem in stems for suffix in (".bin", ".txt")), "image-0.json"])
    assert "ZeroDivisionError" in (tmp_path / "kept" / "image-0-2-traceback.txt").read_text()
    assert "Aborted" in (tmp_path / "kept" / "image-0-0-crash.txt").read_text()


@pytest.mark.parametrize("door", ["image", "crop", "onnx", "data", "config"])
def test_a_short_run_finds_nothing_and_the_next_goes_on_from_it(tmp_path: Path, door: str) -> None:
    line = [sys.executable, str(ROOT / "fuzz" / "mutate"), door, "--keep", str(tmp_path)]

    def run(count: int) -> str:
        done = subprocess.run(
            [*line, "--count", str(count)], env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert f"{door}, seed 0: 6 cases" in run(6)
    assert f"{door}, seed 0: 8 cases" in run(8)
    assert sum(json.loads((tmp_path / f"{door}-0.json").read_text()).values()) == 8


def test_a_seed_gives_the_same_files_again_and_another_one_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "fuzz"))
    mutate = importlib.import_module("mutations").mutate

    first, again, other = (mutate(PHOTO, random.Random(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert first != PHOTO.read_bytes()
