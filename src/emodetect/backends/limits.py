"""How large a model may be: a damaged or hostile file could ask for any amount of memory."""

from __future__ import annotations

from pathlib import Path

from emodetect.errors import ModelError

MAX_MODEL_BYTES = 2**30
"""Of a model file, also once it is unpacked; the largest networks that read faces (VGG-Face) have 0.6 GB."""

MAX_SIDE = 1024
"""Of a network's input, pixels."""


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


def check_sides(path: Path, height: int, width: int) -> None:
    """Refuse a network whose input is too large.

    Raises:
        ModelError: it is.
    """
    if max(height, width) > MAX_SIDE:
        raise ModelError(f"{path}: expected an input of at most {MAX_SIDE} x {MAX_SIDE} pixels, got {width} x {height}")


def too_large(path: Path) -> ModelError:
    """The error for a model that is too large, also once unpacked."""
    return ModelError(f"{path}: is larger than {MAX_MODEL_BYTES // 2**20} MB, or would be once unpacked")
