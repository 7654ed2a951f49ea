"""Time from process start to the first result, measured in a separate process."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from emodetect.errors import BackendUnavailableError
from emodetect.system.child_processes import run_child
from emodetect.system.native_output import DEBUG_VARIABLE

_SCRIPT = """
import os, runpy, sys
module, sys.argv = sys.argv[1], sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
sys.stdout.flush()
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
except OSError:
    try:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    except ImportError:
        peak = 0
try:
    import resource
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
except ImportError:
    largest_child = 0
print(peak + largest_child)  # a model file runs in a child process
sys.stdout.flush()
os._exit(0)
"""
"""Runs a module as a program, then prints the peak memory of it and its largest child, KiB; 0 if unknown."""


@dataclass(frozen=True)
class Start:
    """Start-up cost.

    Attributes:
        seconds: time from process start until the result is printed.
        peak_memory_mb: peak memory of the process and its largest child together, MiB; None if unknown.
    """

    seconds: float
    peak_memory_mb: float | None


def measure_start(module: str, *arguments: str | Path) -> Start:
    """Run a module as a program that reads one photo.

    Args:
        module: name of the module.
        arguments: arguments of the program.

    Raises:
        BackendUnavailableError: the program failed; the message is the last line of its output.
    """
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        line = [sys.executable, "-c", _SCRIPT, module, *map(str, arguments)]
        done = run_child(line, stderr=errors, env=_plain_environment(), last_signal=signal.SIGTERM)
        seconds = time.perf_counter() - started
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    if done.returncode:
        raise BackendUnavailableError(lines[-1].removeprefix("emodetect: ") if lines else f"{module}: failed")
    peak = int(done.stdout.splitlines()[-1])
    return Start(seconds, peak / 1024 if peak else None)


def _plain_environment() -> dict[str, str]:
    """Environment without the user's settings for emodetect, which would change the measurement."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMODETECT_") or name == DEBUG_VARIABLE}
    return {**kept, "EMODETECT_CONFIG": os.devnull}
