#!/usr/bin/env python3
"""Kills `emodetect batch` at random times, resumes it, and compares its results with an undisturbed run. See README.md."""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from emodetect.benchmark.synthetic_clip import PORTRAIT, write_synthetic_clip

RESULTS = "readings.jsonl", "failures.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder / "inputs", arguments.photos, arguments.clips)
        for line in check(folder, arguments.kills, arguments.jobs, random.Random(arguments.seed)):
            print(line, flush=True)


def write_inputs(folder: Path, photos: int, clips: int) -> None:
    """Write distinct photos, one of them under two names, one damaged, and clips."""
    folder.mkdir()
    portrait = np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)
    for number in range(photos):
        cv2.imwrite(str(folder / f"{number:03}.jpg"), cv2.convertScaleAbs(portrait, alpha=1 - number / (3 * photos)))
    (folder / "again.jpg").write_bytes((folder / "000.jpg").read_bytes())
    (folder / "broken.jpg").write_bytes(b"no photo")
    for number in range(clips):
        write_synthetic_clip(folder / f"clip-{number}.mp4", frames=40 + 20 * number)


def check(folder: Path, kills: int, jobs: int, chance: random.Random) -> Iterator[str]:
    """Kill runs, each at a random time. A run that finishes before is compared, and a new one is started.

    Yields:
        A description of each event.

    Raises:
        SystemExit: results differ, or a run fails.
    """
    whole = folder / "whole"
    began = time.monotonic()
    wait_for(start(folder, whole, jobs))
    seconds = time.monotonic() - began
    killed = finished = lasted = 0
    while killed < kills or lasted:
        results = folder / f"run-{finished}"
        process = start(folder, results, jobs)
        try:
            # Most kills are early in a run, since it resumes with the remaining inputs.
            process.wait(chance.uniform(0, 0.7 * seconds) if killed < kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed, lasted = killed + 1, lasted + 1
            continue
        wait_for(process)
        for name in RESULTS:
            if (results / name).read_bytes() != (whole / name).read_bytes():
                sys.exit(f"{results / name} differs after {lasted} kills")
        yield f"run {finished + 1}: the same bytes after {lasted} kills"
        finished, lasted = finished + 1, 0
    yield f"{killed} kills, {finished} runs to their end, all with the same bytes"


def start(folder: Path, results: Path, jobs: int) -> subprocess.Popen[bytes]:
    """Start or resume a run."""
    command = [sys.executable, "-m", "emodetect", "batch", str(folder / "inputs"), "--resume", str(results), "--jobs", str(jobs)]
    return subprocess.Popen([*command, "--quiet"], stderr=subprocess.DEVNULL)


def wait_for(process: subprocess.Popen[bytes]) -> None:
    """Check that a run exits as expected with one damaged input."""
    if process.wait() != 1:
        sys.exit(f"a run has ended with exit code {process.returncode}")


if __name__ == "__main__":
    main()
