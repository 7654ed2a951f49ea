#!/usr/bin/env python3
"""Measures the overhead per frame of a foreign model's separate process, with a backend that computes nothing."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.isolated import IsolatedBackend
from emodetect.types import EMOTIONS, Image

FACES = [(1, 48), (1, 100), (1, 200), (1, 300), (1, 400), (1, 600), (4, 100), (4, 200), (4, 300), (16, 100)]
"""Number of faces per frame, and their side, pixels."""


class Idle(EmotionBackend):
    """A backend that computes nothing."""

    name = "idle"

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        return np.full((len(crops), len(EMOTIONS)), 1 / len(EMOTIONS), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="frames for each row")
    arguments = parser.parse_args()
    started = time.perf_counter()
    with IsolatedBackend("idle", "isolation:Idle", ()) as apart:
        print(f"start: {time.perf_counter() - started:.2f} s\n\n| faces | pixels | ms per frame |\n| --- | --- | --- |")
        for count, side in FACES:
            crops = [np.zeros((side, side, 3), np.uint8)] * count
            print(f"| {count} | {side}x{side} | {measure(apart, crops, arguments.frames):.2f} |")


def measure(backend: EmotionBackend, crops: Sequence[Image], frames: int) -> float:
    """Median duration of a call, milliseconds."""
    times = []
    for _ in range(frames):
        started = time.perf_counter()
        backend.classify(crops)
        times.append(1000 * (time.perf_counter() - started))
    return median(times)


if __name__ == "__main__":
    main()
