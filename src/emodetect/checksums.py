"""Checksums of the data files that travel in the package, each recorded beside its file as ``sha256sum FILE`` prints it."""

from __future__ import annotations

import hashlib
from pathlib import Path


def recorded_checksum(path: Path) -> str:
    """What the file's SHA-256 should be.

    Raises:
        OSError: the record is missing.
    """
    return path.with_name(path.name + ".sha256").read_text(encoding="ascii").split()[0]


def checksum(path: Path) -> str:
    """The file's SHA-256 in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()
