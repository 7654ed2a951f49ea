"""Checksums of the data files that travel in the package, each recorded beside its file as ``sha256sum FILE`` prints it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def recorded_checksum(path: Path) -> str:
    """What the file's SHA-256 should be.

    Raises:
        OSError: the record is missing.
        ValueError: it is damaged.
    """
    words = path.with_name(path.name + ".sha256").read_text(encoding="ascii").split()
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        raise ValueError("not a SHA-256")
    return words[0]


def checksum(path: Path) -> str:
    """The file's SHA-256 in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()
