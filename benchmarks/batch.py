#!/usr/bin/env python3
"""Benchmarks `emodetect batch`: photos per second, two jobs against one, and Ray against local processes. See README.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from emodetect.benchmark.synthetic_clip import PORTRAIT, write_made_clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--frames", type=int, default=250, help="of each clip")
    parser.add_argument("--ray", action="store_true", help="measure Ray as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos, clips = folder / "photos", folder / "clips"
        write_photos(photos, arguments.photos)
        clips.mkdir()
        for number in range(arguments.clips):
            write_made_clip(clips / f"{number:03}.mp4", frames=arguments.frames, speed=0.5 + number / arguments.clips)
        runs = {"photos, 2 jobs": (photos, 2, "local"), "clips, 1 job": (clips, 1, "local"), "clips, 2 jobs": (clips, 2, "local")}
        if arguments.ray:
            runs["clips, 2 jobs, Ray"] = (clips, 2, "ray")
        seconds = {}
        for title, (inputs, jobs, engine) in runs.items():
            seconds[title], frames = measure(inputs, folder / title.replace(" ", "-"), jobs, engine)
            print(f"{title}: {seconds[title]:.1f} s, {frames / seconds[title]:.1f} frames per second", flush=True)
        print(f"two jobs against one: {seconds['clips, 1 job'] / seconds['clips, 2 jobs']:.2f} times as fast")


def write_photos(folder: Path, count: int) -> None:
    """Write portraits of 1 to 3 megapixels."""
    folder.mkdir()
    portrait = np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)
    for number in range(count):
        width = 920 + 680 * number // max(1, count - 1)
        picture = cv2.resize(portrait, (width, width * 600 // 512), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:04}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])


def measure(inputs: Path, output: Path, jobs: int, engine: str) -> tuple[float, int]:
    """Duration of a run in seconds, including its start-up, and the number of frames read."""
    command = [sys.executable, "-m", "emodetect", "batch", str(inputs), "--output", str(output), "--jobs", str(jobs)]
    began = time.monotonic()
    subprocess.run([*command, "--engine", engine, "--quiet"], check=True)
    return time.monotonic() - began, int(json.loads((output / "run.json").read_text())["totals"]["frames"])


if __name__ == "__main__":
    main()
