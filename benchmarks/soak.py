#!/usr/bin/env python3
"""Soak test of the live window on an endless stream: memory, threads, open files and frame rate. See README.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import imageio_ffmpeg
from screen import screen

from emodetect.benchmark.synthetic_clip import write_synthetic_clip

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOWN = {"memory_mb": "memory, MiB", "threads": "threads", "files": "open files", "frames_per_second": "tracked fps"}

_TIMEOUT_SECONDS = 60.0
"""Time-out for the end of a run after its duration, seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="how often it is looked at")
    parser.add_argument("--plot", type=Path, default=DOCS / "soak.png")
    parser.add_argument("--output", type=Path, help="where the figures go as JSON; without it they are printed")
    parser.add_argument("options", nargs="*", help="further options of emodetect live, after --")
    arguments = parser.parse_args()
    if not Path("/proc/self/status").exists():
        parser.error("needs /proc, as Linux has it")
    with screen(), tempfile.TemporaryDirectory() as name, stream(Path(name)) as address:
        samples, messages = watch(address, Path(name) / "log.jsonl", arguments.options, 60 * arguments.minutes, arguments.every)
    record = {"minutes": arguments.minutes, "said": messages, **summary(samples), "samples": samples}
    plot(samples, arguments.plot)
    text = json.dumps(record, indent=2)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    else:
        print(text)


@contextmanager
def stream(folder: Path) -> Iterator[str]:
    """Serve an endless stream of a synthetic clip at 25 fps to one viewer; yields its URL."""
    clip = folder / "clip.mp4"
    write_synthetic_clip(clip, frames=250)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "quiet", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip)]
    command += ["-c", "copy", "-f", "mpegts", f"{address}?listen"]
    with subprocess.Popen(command) as server:
        try:
            time.sleep(1.0)
            yield address
        finally:
            server.kill()


def watch(address: str, log: Path, options: Sequence[str], seconds: float, every: float) -> tuple[list[dict[str, float]], str]:
    """Sample a live run at intervals; returns the samples and the output at its end."""
    command = [sys.executable, "-m", "emodetect", "live", "--source", address, "--log", str(log)]
    command += ["--duration", f"{seconds:g}", *options]
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        stack.callback(process.kill)
        while not log.exists():
            if process.poll() is not None:
                raise SystemExit(process.communicate()[1])
            time.sleep(0.1)
        lines = stack.enter_context(log.open())
        samples: list[dict[str, float]] = []
        started = before = time.monotonic()
        while not _has_ended(process, every):
            now = time.monotonic()
            if now - started > seconds + _TIMEOUT_SECONDS:
                raise SystemExit("it does not end")
            frames = sum(line.endswith("\n") for line in lines)
            with contextlib.suppress(KeyError):  # the process has just exited
                held = measure(process.pid)
                samples.append({"seconds": round(now - started, 1), **held, "frames_per_second": frames / (now - before)})
            before = now
        _, messages = process.communicate()
    return samples[:-1], messages.strip()  # the last sample may be of the shutdown


def _has_ended(process: subprocess.Popen[str], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def measure(process: int) -> dict[str, float]:
    """Memory, threads and open files of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {
        "memory_mb": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": len(list(Path(f"/proc/{process}/fd").iterdir())),
    }


def summary(samples: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Compare the second tenth of the run, when everything is loaded, with the last one."""
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth : 2 * tenth] or samples, samples[-tenth:]
    ends = {name: (median(s[name] for s in early), median(s[name] for s in late)) for name in SHOWN}
    return {name: {"early": round(a, 2), "late": round(b, 2), "change": round(b / a - 1, 4)} for name, (a, b) in ends.items()}


def plot(samples: Sequence[dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(len(SHOWN), sharex=True, figsize=(7, 7), layout="constrained")
    for axes, (name, title) in zip(rows, SHOWN.items(), strict=True):
        axes.plot([s["seconds"] / 60 for s in samples], [s[name] for s in samples], color="#2a6f97")
        axes.set_ylim(0, 1.2 * max(s[name] for s in samples))
        axes.set_title(title, loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    rows[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
