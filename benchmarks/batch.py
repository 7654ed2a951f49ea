#!/usr/bin/env python3
"""Benchmarks `emodetect batch`: photos per second, two jobs against one, and Ray against local processes. See README.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from emodetect.benchmark.synthetic_clip import PORTRAIT, write_synthetic_clip

DEEPFACE = """
from deepface import DeepFace
def read(path): DeepFace.analyze(path, actions=["emotion"], enforce_detection=False)
"""
FER = """
import cv2
from fer.fer import FER
detector = FER()
def read(path): detector.detect_emotions(cv2.imread(path))
"""
LOOP = """
import sys, time
read(sys.argv[1])
start = time.monotonic()
for path in sys.argv[1:]: read(path)
print(time.monotonic() - start)
"""
"""How photos are read in the documentation of other packages, and a loop that measures it."""

SYNTHETIC_CLIPS = 20
"""Clips that are made; further ones are copies with other bytes at the end, since files with the same content are read once."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+", choices=["photos", "loops", "clips", "ray"])
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--frames", type=int, default=250, help="of each clip")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos, clips = folder / "photos", folder / "clips"
        if {"photos", "loops"} & {*arguments.what}:
            write_photos(photos, arguments.photos)
        if {"clips", "ray"} & {*arguments.what}:
            write_clips(clips, arguments.clips, arguments.frames)
        if "photos" in arguments.what:
            show("photos, 2 jobs", *measure(photos, folder / "photos-2", 2, "local"))
        if "loops" in arguments.what:
            for title, code in {"DeepFace": DEEPFACE, "fer": FER}.items():
                measure_loop(title, code, sorted(photos.iterdir())[:: max(1, arguments.photos // 60)])
        two, frames = measure(clips, folder / "clips-2", 2, "local") if clips.exists() else (0.0, 0)
        if "clips" in arguments.what:
            one, _ = measure(clips, folder / "clips-1", 1, "local")
            show("clips, 1 job", one, frames)
            show("clips, 2 jobs", two, frames)
            print(f"two jobs against one: {one / two:.2f} times as fast")
        if "ray" in arguments.what:
            seconds, _ = measure(clips, folder / "clips-ray", 2, "ray")
            show("clips, 2 jobs, local", two, frames)
            show("clips, 2 jobs, Ray", seconds, frames)


def show(title: str, seconds: float, frames: int) -> None:
    print(f"{title}: {seconds:.1f} s, {frames / seconds:.1f} frames per second", flush=True)


def measure_loop(title: str, code: str, photos: Sequence[Path]) -> None:
    """Measure another package's loop, without its start."""
    command = [sys.executable, "-c", code + LOOP, *map(str, photos)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{title}: not measured ({(done.stderr.strip() or 'it failed').splitlines()[-1]})")
    else:
        show(f"{title}, {len(photos)} photos", float(done.stdout.split()[-1]), len(photos))


def write_clips(folder: Path, count: int, frames: int) -> None:
    """Write clips of a moving face."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:03}.mp4"
        if number < SYNTHETIC_CLIPS:
            write_synthetic_clip(path, frames=frames, speed=0.5 + number / SYNTHETIC_CLIPS)
        else:
            empty_box = (12).to_bytes(4, "big") + b"free" + number.to_bytes(4, "big")
            path.write_bytes((folder / f"{number % SYNTHETIC_CLIPS:03}.mp4").read_bytes() + empty_box)


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
