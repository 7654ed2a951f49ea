#!/usr/bin/env python3
"""Benchmarks the live window with busy backends: frames shown, latency, and box accuracy on a moving face. See README.md."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from screen import screen
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.isolated import IsolatedBackend
from emodetect.backends.registry import create_backend
from emodetect.benchmark.synthetic_clip import write_synthetic_clip, write_walking_clip
from emodetect.faces.boxes import best_pairs, intersection_over_union
from emodetect.faces.detector import FaceDetector
from emodetect.live.session import LiveOutputs, LiveSession
from emodetect.live.view import View
from emodetect.live.window import Window
from emodetect.pipeline import build_locator
from emodetect.settings.pipeline import LIVE
from emodetect.sinks.recorder import Recorder
from emodetect.sources.camera import LiveCapture, LiveSource
from emodetect.sources.video import VideoFile
from emodetect.system.environment import prepare_own_process
from emodetect.system.native_output import silence_libraries
from emodetect.types import EMOTIONS, Box, Frame, FrameResult, Image

RATE = 30.0
SPEEDS = 0.5, 1.0
BUSY_SECONDS = 0.25
FRAMED = 20
"""Number of frames for measuring the framing of a detector."""

WARM_UP_SECONDS = 1.0
"""Warm-up that is excluded: the first scan, and the opening of the window."""


class Busy(EmotionBackend):
    """A backend that is busy for a fixed time per call and computes nothing."""

    def __init__(self, holds_lock: bool) -> None:
        self.name = "busy, holding the lock" if holds_lock else "busy, not holding it"
        self._holds_lock = holds_lock

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if self._holds_lock:
            ctypes.PyDLL(None).usleep(round(1e6 * BUSY_SECONDS))
        else:
            time.sleep(BUSY_SECONDS)
        return np.full((len(crops), len(EMOTIONS)), 1 / len(EMOTIONS), np.float32)


BACKENDS: dict[str, Callable[[], EmotionBackend]] = {
    "embedded": partial(create_backend, "cnn"),
    "250 ms, lock held": partial(IsolatedBackend, "busy", "window:Busy", (True,)),
    "250 ms, lock free": partial(IsolatedBackend, "busy", "window:Busy", (False,)),
}


class Boxes(Recorder):
    """Records the boxes of each frame instead of encoding it."""

    def __init__(self) -> None:
        super().__init__(Path, RATE)
        self.drawn: list[FrameResult] = []

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        self.drawn.append(result)


class TimedWindow(Window):
    """Records when each frame was on the screen, after the events that paint it."""

    def __init__(self, capture: LiveCapture) -> None:
        super().__init__("emodetect benchmark")
        self._capture = capture
        self._waits = False
        self.times: list[float] = []

    @override
    def show(self, image: Image) -> None:
        super().show(image)
        self._waits = True

    @override
    def pressed_keys(self) -> Iterator[str]:
        yield from super().pressed_keys()
        if self._waits:
            self.times.append(self._capture.elapsed)
        self._waits = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each combination is measured")
    parser.add_argument("--detector", nargs="+", default=["both", "haar"], help="the first with all backends, others with one")
    parser.add_argument("--output", type=Path, help="where the figures go as JSON; without it they are printed")
    arguments = parser.parse_args()
    prepare_own_process()
    silence_libraries()
    rows = []
    with screen(), tempfile.TemporaryDirectory() as name:
        clips = write_clips(Path(name), arguments.seconds)
        for detector in arguments.detector:
            for what, (clip, truth) in clips.items():
                for label, make in BACKENDS.items():
                    if label == "embedded" or detector == arguments.detector[0]:
                        print(f"{detector}, {label}, {what}", file=sys.stderr)
                        rows.append(
                            {"detector": detector, "backend": label, "clip": what, **measure(clip, truth, detector, make)}
                        )
    print(table(rows))
    text = json.dumps({"load": os.getloadavg()[0], "cores": os.cpu_count(), "rows": rows}, indent=2)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    else:
        print(text)


def write_clips(folder: Path, seconds: float) -> dict[str, tuple[Path, list[list[Box]]]]:
    """Write the clips, and return them with the true boxes of their frames: one face at each speed, and eight faces."""
    clips = {}
    for speed in SPEEDS:
        path = folder / f"{speed}.mp4"
        truth = write_walking_clip(path, frames=round(RATE * seconds), speed=speed, frames_per_second=RATE)
        clips[f"one face, {speed:g} widths per second"] = path, [[box] for box in truth]
    path = folder / "eight.mp4"
    clips["eight faces, 1280x720"] = path, write_synthetic_clip(path, frames=round(25 * seconds), size=(1280, 720), faces=8)
    return clips


def measure(clip: Path, truth: Sequence[Sequence[Box]], detector: str, make: Callable[[], EmotionBackend]) -> dict[str, Any]:
    """Play the clip once and measure."""
    boxes = Boxes()
    locator = build_locator(replace(LIVE, detector=replace(LIVE.detector, name=detector)))
    truth = framed(clip, truth, locator.detector)
    with LiveCapture(LiveSource.parse(str(clip))) as capture, TimedWindow(capture) as window:
        while not capture.opened(timeout=0.1):
            pass
        session = LiveSession(capture, locator, [make], view=View(), outputs=LiveOutputs(recorder=boxes), window=window)
        statistics = session.run()
        dropped = capture.dropped
    pairs = [(r, t) for r, t in zip(boxes.drawn, window.times, strict=False) if r.timestamp >= WARM_UP_SECONDS]
    delays = [1000 * (time_shown - result.timestamp) for result, time_shown in pairs]
    overlaps = [value for result, _ in pairs for value in overlap(result, truth[result.index])]
    return {
        "captured": statistics.shown + dropped,
        "shown": statistics.shown,
        "share_shown": round(statistics.shown / (statistics.shown + dropped), 4),
        "tracked": statistics.tracked,
        "answers": statistics.classified,
        "delay_ms": {"median": round(float(np.median(delays)), 1), "p95": round(float(np.percentile(delays, 95)), 1)},
        "iou": {"median": round(float(np.median(overlaps)), 3), "p5": round(float(np.percentile(overlaps, 5)), 3)},
    }


def framed(clip: Path, truth: Sequence[Sequence[Box]], detector: FaceDetector) -> list[list[Box]]:
    """Convert the true boxes to the framing of this detector, so that only their places are compared."""
    numbers = []
    with VideoFile(clip) as video:
        for frame, faces in zip(islice(video.frames(), FRAMED), truth, strict=False):
            found = [one.box for one in detector.detect(frame.image)]
            for row, column in best_pairs(intersection_over_union(faces, found)).items():
                face, box = faces[row], found[column]
                across = (box.x + box.width / 2 - face.x - face.width / 2) / face.width
                down = (box.y + box.height / 2 - face.y - face.height / 2) / face.height
                numbers.append((across, down, box.width / face.width))
    across, down, size = np.median(numbers, axis=0)
    return [
        [
            Box(
                round(face.x + (0.5 + across - size / 2) * face.width),
                round(face.y + (0.5 + down - size / 2) * face.height),
                round(size * face.width),
                round(size * face.height),
            )
            for face in faces
        ]
        for faces in truth
    ]


def overlap(result: FrameResult, truth: Sequence[Box]) -> list[float]:
    """Intersection over union of each face and its box; 0 without a box."""
    overlaps = intersection_over_union(truth, [reading.box for reading in result.readings])
    return [float(row.max(initial=0.0)) for row in overlaps]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Format the measurements as Markdown."""
    header = ["detector", "backend", "clip", "shown", "delay, ms: median (95th percentile)", "IoU: median (5th percentile)"]
    cells = [
        [
            row["detector"], row["backend"], row["clip"], f"{row['share_shown']:.1%} of {row['captured']}",
            f"{row['delay_ms']['median']:.0f} ({row['delay_ms']['p95']:.0f})",
            f"{row['iou']['median']:.2f} ({row['iou']['p5']:.2f})",
        ]
        for row in rows
    ]  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *cells))


if __name__ == "__main__":
    main()
