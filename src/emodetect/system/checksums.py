"""Checksums of the data files in the package, each recorded beside its file in the format of ``sha256sum FILE``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def recorded_checksum(path: Path) -> str:
    """The recorded SHA-256 of a file.

    Raises:
        OSError: the record is missing.
        ValueError: the record is damaged.
    """
    words = path.with_name(path.name + ".sha256").read_text(encoding="ascii").split()
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        raise ValueError("not a SHA-256")
    return words[0]


def checksum(path: Path) -> str:
    """The actual SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()
