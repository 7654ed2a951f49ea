"""How a batch is done, but for what is read off its inputs; found without NumPy and OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal["jsonl", "csv", "parquet"]

FORMATS: tuple[Format, ...] = get_args(Format)


EngineName = Literal["local", "ray"]

ENGINES: tuple[EngineName, ...] = get_args(EngineName)


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is done.

    Attributes:
        format: of the readings.
        jobs: how many inputs are read at a time; None for one per core.
        timeout: seconds that an input may take; None for any time.
        max_memory: bytes that a worker of this machine may hold.
        engine: where the workers are: "local" for processes on this machine, "ray" for a Ray cluster.
        address: of the cluster; None starts one on this machine.
    """

    format: Format = "jsonl"
    jobs: int | None = None
    timeout: float | None = None
    max_memory: int = 4 * 2**30
    engine: EngineName = "local"
    address: str | None = None


BATCH = BatchOptions()
