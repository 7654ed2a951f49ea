"""Settings of a batch, except those of its pipeline; imported without NumPy and OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal["jsonl", "csv", "parquet"]

FORMATS: tuple[Format, ...] = get_args(Format)


EngineName = Literal["local", "ray"]

ENGINES: tuple[EngineName, ...] = get_args(EngineName)


@dataclass(frozen=True)
class BatchOptions:
    """Format, workers and limits of a batch.

    Attributes:
        format: file format of the readings.
        jobs: number of inputs read in parallel; None for one per core.
        timeout: time limit per input, seconds; None for no limit.
        max_memory: memory limit of a local worker, bytes.
        engine: "local" for worker processes on this machine, "ray" for a Ray cluster.
        address: address of the Ray cluster; None starts one on this machine.
    """

    format: Format = "jsonl"
    jobs: int | None = None
    timeout: float | None = None
    max_memory: int = 4 * 2**30
    engine: EngineName = "local"
    address: str | None = None


BATCH = BatchOptions()
