#!/usr/bin/env python3
"""Runs the benchmarks of docs/benchmarks.md, and prints their tables. One command, some minutes; see README.md."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from emodetect.backends.registry import BackendSettings
from emodetect.benchmark.measure import Bench
from emodetect.benchmark.startup import measure_start
from emodetect.benchmark.synthetic_clip import PORTRAIT, write_synthetic_clip
from emodetect.benchmark.tutorial import ensure_deepface_weights
from emodetect.cli.commands.bench import start_options
from emodetect.errors import BackendUnavailableError, EmodetectError
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.schedule import SCAN_EVERY
from emodetect.faces.tracker import FaceTracker
from emodetect.sources.video import VideoFile
from emodetect.system.environment import prepare_own_process
from emodetect.system.native_output import silence_libraries
from emodetect.text.printable import counted
from emodetect.types import Box

DOCS = Path(__file__).resolve().parents[1] / "docs"
START, END = "<!-- measured: start -->", "<!-- measured: end -->"

SYNTHETIC_CLIPS = [
    ((640, 360), 1, 1.0),
    ((640, 360), 1, 3.0),
    ((640, 360), 4, 1.0),
    ((1280, 720), 1, 1.0),
    ((1280, 720), 8, 1.0),
    ((1280, 720), 8, 2.0),
]
"""Synthetic clips for counting faces: size, number of faces, speed."""

CLIP_FRAMES = 100
"""Length of these clips, and of the clips with one face and with eight."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="a clip with one face; without it a made one")
    parser.add_argument("--model", help="a Keras file, 48x48 gray, seven outputs")
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-deepface", action="store_true", help="leave out what needs DeepFace's weights")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md and docs/benchmarks.png, too")
    arguments = parser.parse_args()
    for path in (arguments.source, arguments.model):
        if path and not Path(path).is_file():
            parser.error(f"{path}: no such file")

    prepare_own_process()
    silence_libraries()
    logging.basicConfig(format="%(message)s")
    try:
        measure(arguments)
    except EmodetectError as error:
        sys.exit(str(error))


def measure(arguments: argparse.Namespace) -> None:
    """Run all benchmarks, and print each table when it is ready."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    deepface = not arguments.no_deepface and has_deepface()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = arguments.source
        if source is None:
            source = folder / "made.mp4"
            write_synthetic_clip(source, frames=arguments.frames)
        # First, while this process is small: the following steps load TensorFlow.
        starts = shown(compare_starts(arguments.rounds, deepface=deepface))
        eight = shown(compare_eight_faces(folder, arguments.rounds))
        found = shown(count_faces(folder))
        measured = [BackendSettings(), *([BackendSettings("deepface")] if deepface else [])]
        measured += [BackendSettings("cnn", arguments.model)] if arguments.model else []
        bench = Bench(
            source,
            frames=arguments.frames,
            rounds=arguments.rounds,
            compare=deepface or arguments.model is not None,
            options_of=start_options,
            progress=progress,
        )
        records = bench.measure(measured)
    rates, stages = shown(throughput_table(records)), shown(stage_table(records))
    clip = "a synthetic clip, 640x360 with one face" if arguments.source is None else f"`{arguments.source.name}`"
    conditions = shown(
        f"{machine()}; load {load:.1f} at the start. {records[0]['frames']} frames of {clip}, "
        f"{counted(arguments.rounds, 'round')} in turn after a warm-up, medians."
    )
    if arguments.write_docs:
        write("\n\n".join([conditions, rates, stages, starts, eight, found]))
        plot(records, DOCS / "benchmarks.png")
        progress(f"written: {DOCS / 'benchmarks.md'} and benchmarks.png")


def has_deepface() -> bool:
    """Whether DeepFace has its weights, or can download them; prints a note if not."""
    try:
        ensure_deepface_weights()
    except BackendUnavailableError as error:
        print(f"without DeepFace: {error}", file=sys.stderr)
        return False
    return True


def progress(text: str) -> None:
    print(text, file=sys.stderr)


def shown(text: str) -> str:
    """Print a section at once, since later ones may fail."""
    print(f"{text}\n", flush=True)
    return text


def machine() -> str:
    """Describe the machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    libraries = ", ".join(f"{name} {version(name)}" for name in ("opencv-python", "onnxruntime", "tensorflow", "deepface"))
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}, {libraries}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table with aligned columns."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    filled = [[cell.ljust(width) for cell, width in zip(cells, widths, strict=True)] for cells in (header, *rows)]
    filled.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in filled)


def label(record: dict[str, Any]) -> str:
    return Path(record["model"] or record["backend"]).name


def throughput_table(records: Sequence[dict[str, Any]]) -> str:
    rows = []
    for record in records:
        tutorial = record.get("tutorial", {})
        theirs, times = tutorial.get("frames_per_second"), tutorial.get("times_faster")
        rows.append([
            label(record), f"{record['frames_per_second']:.1f}", "" if theirs is None else f"{theirs:.1f}",
            "" if times is None else f"{times:.1f}", f"{record['faces']}", f"{tutorial.get('faces', '')}",
        ])  # fmt: skip
    return table(["", "frames per second", "tutorial's loop", "times faster", "faces read", "by the loop"], rows)


def stage_table(records: Sequence[dict[str, Any]]) -> str:
    rows = []
    for stage in records[0]["stages_ms"]:
        costs = [record["stages_ms"][stage] for record in records]
        rows.append([stage, *(f"{cost['median']:.2f} ({cost['p95']:.2f})" for cost in costs)])
    return table(["ms per frame: median (95th percentile)", *map(label, records)], rows)


def compare_starts(rounds: int, *, deepface: bool) -> str:
    """Start-up time of one photo, of DeepFace's import, of the help, and of OpenCV's import, in turn."""
    commands = {
        "`emodetect --help`": ["-m", "emodetect", "--help"],
        '`python -c "import cv2"`': ["-c", "import cv2"],
    }
    if deepface:
        commands['`python -c "from deepface import DeepFace"`'] = ["-c", "from deepface import DeepFace"]
    seconds: dict[str, list[float]] = {name: [] for name in ("`emodetect image`", *commands)}
    peaks = []
    for number in range(rounds + 1):
        progress(f"starts, round {number} of {rounds}" if number else "starts, to warm up")
        start = measure_start("emodetect", "image", PORTRAIT)
        times = {"`emodetect image`": start.seconds} | {name: run(command) for name, command in commands.items()}
        if number:  # the first round only warms up the disk cache
            peaks.append(start.peak_memory_mb or float("nan"))
            for name, value in times.items():
                seconds[name].append(value)
    rows = [[name, f"{median(values):.2f}", ""] for name, values in seconds.items()]
    rows[0][2] = f"{median(peaks):.0f}"
    if deepface:
        # The minimum memory of a program that imports DeepFace.
        peak = measure_start("deepface.DeepFace").peak_memory_mb
        rows[-1][2] = "" if peak is None else f"{peak:.0f}"
    return table(["start", "seconds", "peak memory, MiB"], rows)


def run(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def compare_eight_faces(folder: Path, rounds: int) -> str:
    """Frames per second with one face and with eight."""
    rates: dict[int, list[float]] = {1: [], 8: []}
    progress("one face and eight, 1280x720")
    for faces in rates:
        write_synthetic_clip(folder / f"{faces}.mp4", frames=CLIP_FRAMES, size=(1280, 720), faces=faces)
    for _ in range(rounds):
        for faces, values in rates.items():
            [record] = Bench(folder / f"{faces}.mp4", frames=CLIP_FRAMES, rounds=1, options_of=start_options).measure(
                [BackendSettings()]
            )
            values.append(record["frames_per_second"])
    one, eight = median(rates[1]), median(rates[8])
    return table(
        ["1280x720", "frames per second", "share"],
        [["one face", f"{one:.1f}", ""], ["eight", f"{eight:.1f}", f"{eight / one:.2f}"]],
    )


def count_faces(folder: Path) -> str:
    """Faces with a box, and false boxes, compared with a full scan of every frame."""
    rows = []
    for number, (size, faces, speed) in enumerate(SYNTHETIC_CLIPS, start=1):
        progress(f"faces shown, clip {number} of {len(SYNTHETIC_CLIPS)}")
        path = folder / f"found-{number}.mp4"
        truth = write_synthetic_clip(path, frames=CLIP_FRAMES, size=size, faces=faces, speed=speed)
        (found, false, scans), (all_found, all_false, _) = (follow(path, truth, every) for every in (SCAN_EVERY, 0.0))
        total = sum(map(len, truth))
        rows.append([
            f"{size[0]}x{size[1]}, {faces} at speed {speed:g}", f"{total}", f"{found} ({100 * found / total:.1f}%)",
            f"{all_found}", f"{false}", f"{all_false}", f"{scans} of {len(truth)}",
        ])  # fmt: skip
    header = [
        "synthetic clip",
        "true faces",
        "shown",
        "by scanning every frame",
        "other boxes",
        "by scanning every frame",
        "full scans",
    ]
    return table(header, rows)


def follow(path: Path, truth: Sequence[Sequence[Box]], every: float) -> tuple[int, int, int]:
    """Faces found (IoU at least 0.5), false boxes, and full scans."""
    detector = HaarDetector(min_face=MinFace(0.1, relative=True))
    locator = FaceLocator(detector, tracker=FaceTracker(), scan_every=every)
    found = false = 0
    with VideoFile(path) as clip:
        for frame, true in zip(clip, truth, strict=True):
            hits = intersection_over_union(true, [face.box for face in locator.locate(frame).faces]) >= 0.5
            found += int(hits.any(axis=1).sum())
            false += int((~hits.any(axis=0)).sum())
    return found, false, locator.full_scans


def write(text: str) -> None:
    path = DOCS / "benchmarks.md"
    before, rest = path.read_text().split(START)
    path.write_text(f"{before}{START}\n{text}\n{END}{rest.split(END)[1]}")


def plot(records: Sequence[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.8 * len(records)), layout="constrained")
    places = range(len(records))
    ours = [record["frames_per_second"] for record in records]
    theirs = [record.get("tutorial", {}).get("frames_per_second", 0) for record in records]
    for offset, values, name, color in ((-0.2, ours, "emodetect", "#2a6f97"), (0.2, theirs, "tutorial's loop", "#c9c9c9")):
        axes.bar_label(axes.barh([p + offset for p in places], values, 0.38, label=name, color=color), fmt="%.0f", padding=3)
    axes.set_yticks(list(places), [label(record) for record in records])
    axes.invert_yaxis()
    axes.set_xlabel("frames per second")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
