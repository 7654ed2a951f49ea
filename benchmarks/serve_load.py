#!/usr/bin/env python3
"""Load test of `emodetect serve` with many WebSocket clients. See README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import cv2
from websockets.asyncio.client import connect

from emodetect.benchmark.synthetic_clip import write_synthetic_clip

_MAX_SIDE = 640
"""Longer side of the frames, pixels, as sent by the page."""

_TIMEOUT_SECONDS = 60.0
"""Time-out for the last responses, and for the server to exit, seconds."""

_SETTLED = 0.2
"""Fraction of the run after which memory is compared; networks and pools are loaded by then."""


@dataclass
class Client:
    """Statistics of a client.

    Attributes:
        sent: number of frames sent.
        answered: number of results received.
        skipped: number of frames replaced by newer ones, as counted by the server.
        failed: number of errors received.
        trips: round-trip times, milliseconds.
    """

    sent: int = 0
    answered: int = 0
    skipped: int = 0
    failed: int = 0
    trips: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rate", type=float, default=10.0, help="frames per second of each client")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--output", type=Path, help="where the figures go as JSON; without it they are printed")
    parser.add_argument("options", nargs="*", help="further options of emodetect serve, after --")
    arguments = parser.parse_args()
    if not Path("/proc/self/status").exists():
        parser.error("needs /proc, as Linux has it")
    frames = pictures()
    command = [sys.executable, "-m", "emodetect", "serve", "--port", "0", "--max-clients", str(arguments.clients)]
    with subprocess.Popen([*command, *arguments.options], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        found = None
        while found is None:
            line = server.stderr.readline()
            if not line:
                sys.exit("the server did not start")
            found = re.search(r"http://\S+", line)
        try:
            record = asyncio.run(load(found[0], server.pid, frames, arguments))
        finally:
            server.terminate()
    text = json.dumps(record, indent=2)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    print(text)


def pictures() -> list[bytes]:
    """Encode the frames of a synthetic clip with one face as JPEG."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_synthetic_clip(path)
        capture, found = cv2.VideoCapture(str(path)), []
        while (image := capture.read()[1]) is not None:
            scale = min(1.0, _MAX_SIDE / max(image.shape[:2]))
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found.append(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
        capture.release()
        return found


async def load(address: str, pid: int, frames: list[bytes], arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all clients for the duration, and summarize their statistics."""
    clients = [Client() for _ in range(arguments.clients)]
    end = time.monotonic() + 60 * arguments.minutes
    memory: list[tuple[float, int]] = []
    before = processor_seconds(pid)
    watching = asyncio.create_task(watch(pid, memory))
    url = f"{address.replace('http', 'ws', 1)}/v1/stream"
    start = time.monotonic()
    await asyncio.gather(*(run(url, client, frames, number, end, arguments) for number, client in enumerate(clients)))
    seconds = time.monotonic() - start
    watching.cancel()
    record = summary(clients, memory, seconds, arguments)
    return record | {"processor_ms_per_frame": round(1000 * (processor_seconds(pid) - before) / record["answered"], 2)}


def processor_seconds(pid: int) -> float:
    """Processor time of a process on all cores; unlike elapsed time, it hardly depends on other programs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(url: str, client: Client, frames: list[bytes], number: int, end: float, arguments: argparse.Namespace) -> None:
    """Run one client: send at its rate regardless of responses, then wait for the last response."""
    sent: dict[int, float] = {}
    async with connect(url, compression=None, max_size=None) as socket:

        async def receive() -> None:
            async for message in socket:
                answer = json.loads(message)
                client.trips.append(1000 * (time.monotonic() - sent.pop(answer["frame"])))
                for older in [frame for frame in sent if frame < answer["frame"]]:
                    del sent[older]
                client.answered += 1
                client.skipped += answer["skipped"]
                client.failed += "error" in answer
                if time.monotonic() > end and not sent:
                    return

        receiving = asyncio.create_task(receive())
        await asyncio.sleep(number / arguments.clients / arguments.rate)  # clients start at different times
        due = time.monotonic()
        while due < end:
            sent[client.sent] = time.monotonic()
            await socket.send(frames[(client.sent + 17 * number) % len(frames)])
            client.sent += 1
            due += 1 / arguments.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        if sent:
            done, _ = await asyncio.wait({receiving}, timeout=_TIMEOUT_SECONDS)  # what does not come counts as lost
            for task in done:
                task.result()
        receiving.cancel()


async def watch(pid: int, memory: list[tuple[float, int]]) -> None:
    """Sample the server's memory, KiB, once per second."""
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        memory.append((time.monotonic(), int(status.split("VmRSS:")[1].split()[0])))
        await asyncio.sleep(1)


def summary(
    clients: list[Client], memory: list[tuple[float, int]], seconds: float, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Summarize all clients. A frame is lost if it was neither answered nor counted as replaced."""
    trips = sorted(trip for client in clients for trip in client.trips)
    totals = {name: sum(getattr(client, name) for client in clients) for name in ("sent", "answered", "skipped", "failed")}
    settled = [size for _, size in memory[math.floor(_SETTLED * len(memory)) :]]
    part = max(1, len(settled) // 10)
    first, last = median(settled[:part]), median(settled[-part:])
    return {
        "clients": arguments.clients,
        "rate": arguments.rate,
        "seconds": round(seconds, 1),
        **totals,
        "lost": totals["sent"] - totals["answered"] - totals["skipped"],
        "fewest_answered": min(client.answered for client in clients),
        "median_ms": round(median(trips), 1),
        "p95_ms": round(trips[math.floor(0.95 * (len(trips) - 1))], 1),
        "worst_ms": round(trips[-1], 1),
        "memory_mb": [round(first / 1024, 1), round(last / 1024, 1), round(max(settled) / 1024, 1)],
        "memory_drift": f"{last / first - 1:+.1%}",
    }


if __name__ == "__main__":
    main()
