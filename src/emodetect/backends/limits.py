"""Resource limits of models, since a damaged or hostile file could request any amount of memory and time."""

from __future__ import annotations

import re
from pathlib import Path

from emodetect.errors import ModelError, UsageError

MAX_MODEL_BYTES = 2**30
"""Maximum size of a model file, also after unpacking; the largest networks for faces (VGG-Face) have 0.6 GB."""

MAX_SIDE = 1024
"""Maximum side of a network's input, pixels."""

MAX_MODEL_MEMORY = 4 * 2**30
"""Default memory limit of a foreign model's process, bytes; TensorFlow alone takes 0.8 GB."""

LOAD_SECONDS = {".onnx": 30.0, ".h5": 120.0, ".hdf5": 120.0, ".keras": 120.0}
"""Time-out for loading a foreign model, by the suffix of its file; importing TensorFlow takes most of the time."""

CALL_SECONDS = 30.0
"""Time-out for a batch of at most 16 faces."""

_MIN_MODEL_MEMORY = 256 * 2**20

_MEMORY_DIVISOR = 16
"""Divisor of the memory limit for one activation of one face, since a batch has as many faces."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """Parse a memory limit for a model, as `parse_bytes`.

    Raises:
        UsageError: the text is no size, or the size is below the minimum.
    """
    return check_memory(parse_bytes(text))


def parse_bytes(text: str) -> int:
    """Parse a size such as ``4GB``, ``500 MB``, ``1.5G`` or a plain number of bytes.

    Raises:
        UsageError: the text is no size.
    """
    match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)\s*([KMGT]?)(?:I?B)?", text.strip().upper(), re.ASCII)
    if match is None:
        raise UsageError(f"{text!r} is no size: expected a number with a unit, such as 4GB or 500MB")
    return int(float(match[1]) * _UNITS[match[2]])


def check_memory(size: int) -> int:
    """Check a memory limit for a model, bytes.

    Raises:
        UsageError: the limit is below the minimum.
    """
    if not _MIN_MODEL_MEMORY <= size < 2**62:
        raise UsageError(f"{size_in_words(size)} is out of range: at least {size_in_words(_MIN_MODEL_MEMORY)}")
    return size


def size_in_words(size: int) -> str:
    """Format bytes in the largest unit that fits: ``4 GB``."""
    unit = next((unit for unit in ("T", "G", "M", "K") if size >= _UNITS[unit]), "")
    return f"{size / _UNITS[unit]:.4g} {unit}B"


_memory_here: int | None = None


def limit_memory_here(memory: int) -> None:
    """Set the memory limit of this process, bytes; for the worker of a foreign model."""
    global _memory_here
    _memory_here = memory


def activation_limit() -> int:
    """Maximum size of one activation for one face in this process, bytes."""
    return (_memory_here or MAX_MODEL_MEMORY) // _MEMORY_DIVISOR


def arena_limit(model_bytes: int) -> int | None:
    """Limit of ONNX Runtime's arena for weights and activations, bytes; None without a memory limit."""
    return None if _memory_here is None else 2 * model_bytes + _memory_here // 4


def check_size(path: Path) -> None:
    """Reject a file that is too large.

    Raises:
        ModelError: the file is too large, or cannot be accessed.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    if size > MAX_MODEL_BYTES:
        raise too_large(path)


def read_bytes(path: Path) -> bytes:
    """Read a file up to the size limit, also if it grows meanwhile.

    Raises:
        ModelError: the file is too large, or cannot be read.
    """
    check_size(path)
    try:
        with path.open("rb") as file:
            content = file.read(path.stat().st_size)
            content += file.read(2**20)  # appended meanwhile
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > MAX_MODEL_BYTES:
        raise too_large(path)
    return content


def too_large(path: Path) -> ModelError:
    """Create the error for a model that is too large, possibly after unpacking."""
    return ModelError(f"{path}: is larger than {MAX_MODEL_BYTES // 2**20} MB, or would be once unpacked")
