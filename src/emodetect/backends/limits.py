"""What a model may take: a damaged or hostile file could ask for any amount of memory and time."""

from __future__ import annotations

import re
from pathlib import Path

from emodetect.errors import ModelError, UsageError

MAX_MODEL_BYTES = 2**30
"""Of a model file, also once it is unpacked; the largest networks that read faces (VGG-Face) have 0.6 GB."""

MAX_SIDE = 1024
"""Of a network's input, pixels."""

MAX_MODEL_MEMORY = 4 * 2**30
"""Bytes that the process of a foreign model may hold; TensorFlow alone takes 0.8 GB of them."""

LOAD_SECONDS = {".onnx": 30.0, ".h5": 120.0, ".hdf5": 120.0, ".keras": 120.0}
"""Time to load a foreign model, by the ending of its file; importing TensorFlow takes most of it."""

CALL_SECONDS = 30.0
"""Time for a foreign model to read a batch of at most 16 faces."""

_LEAST_MODEL_MEMORY = 256 * 2**20

_PARTS_OF_MEMORY = 16
"""A layer's answer for one face may take so much of the memory: as many faces are read at once."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """Bytes that a model may hold, from a text as `parse_bytes` takes it.

    Raises:
        UsageError: it is no size, or less than any model needs.
    """
    return check_memory(parse_bytes(text))


def parse_bytes(text: str) -> int:
    """Bytes, from ``4GB``, ``500 MB``, ``1.5G`` or a plain number.

    Raises:
        UsageError: it is no size.
    """
    match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)\s*([KMGT]?)(?:I?B)?", text.strip().upper(), re.ASCII)
    if match is None:
        raise UsageError(f"{text!r} is no size: expected a number with a unit, such as 4GB or 500MB")
    return int(float(match[1]) * _UNITS[match[2]])


def check_memory(size: int) -> int:
    """A limit of memory in bytes, if it is one.

    Raises:
        UsageError: it is less than any model needs.
    """
    if not _LEAST_MODEL_MEMORY <= size < 2**62:
        raise UsageError(f"{size_in_words(size)} is out of range: at least {size_in_words(_LEAST_MODEL_MEMORY)}")
    return size


def size_in_words(size: int) -> str:
    """Bytes in the largest unit that fits: ``4 GB``."""
    unit = next((unit for unit in ("T", "G", "M", "K") if size >= _UNITS[unit]), "")
    return f"{size / _UNITS[unit]:.4g} {unit}B"


_memory_here: int | None = None


def limit_memory_here(memory: int) -> None:
    """Say what the model in this process may hold, bytes; for the process of a foreign model."""
    global _memory_here
    _memory_here = memory


def activation_limit() -> int:
    """Bytes that the answer of one layer for one face may take, in this process."""
    return (_memory_here or MAX_MODEL_MEMORY) // _PARTS_OF_MEMORY


def arena_limit(model_bytes: int) -> int | None:
    """Bytes that ONNX Runtime may take for a model's weights and its layers' answers; None where nothing bounds them."""
    return None if _memory_here is None else 2 * model_bytes + _memory_here // 4


def check_size(path: Path) -> None:
    """Refuse a file that is too large.

    Raises:
        ModelError: it is, or it cannot be looked at.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    if size > MAX_MODEL_BYTES:
        raise too_large(path)


def read_bytes(path: Path) -> bytes:
    """The content of a file that is not too large, also where it grows while it is read.

    Raises:
        ModelError: it is too large, or cannot be read.
    """
    check_size(path)
    try:
        with path.open("rb") as file:
            content = file.read(path.stat().st_size)
            content += file.read(2**20)  # what has been added meanwhile
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > MAX_MODEL_BYTES:
        raise too_large(path)
    return content


def too_large(path: Path) -> ModelError:
    """The error for a model that is too large, also once unpacked."""
    return ModelError(f"{path}: is larger than {MAX_MODEL_BYTES // 2**20} MB, or would be once unpacked")
