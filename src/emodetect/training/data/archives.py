"""Data sets that are packed in archives."""

from __future__ import annotations

import contextlib
import gzip
import shlex
import zlib
from pathlib import Path

_STARTS = {
    b"\x1f\x8b": "gunzip -k",
    b"PK\x03\x04": "unzip",
    b"BZh": "bunzip2 -k",
    b"\xfd7zXZ\x00": "unxz -k",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"7z\xbc\xaf\x27\x1c": "7z x",
    b"Rar!": "unrar x",
}
"""Signature of each archive format, with the command that unpacks it."""

_TAR_MAGIC = slice(257, 262)
"""Offset of "ustar" in a tar file."""


def unpacking_command(path: Path) -> str | None:
    """Command that unpacks a file; None if it is no archive.

    The format is detected by the first bytes, not by the name. Compressed files are checked for a tar file in them.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return None
    command = next((command for magic, command in _STARTS.items() if start.startswith(magic)), None)
    if start[_TAR_MAGIC] == b"ustar" or (command and _holds_tar(path, start)):
        command = "tar -xf"
    return f"{command} {shlex.quote(str(path))}" if command else None


def _holds_tar(path: Path, start: bytes) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if ".tar" in suffixes or suffixes[-1:] in ([".tgz"], [".tbz2"], [".txz"]):
        return True
    unpacked = b""
    if start.startswith(b"\x1f\x8b"):
        with contextlib.suppress(OSError, EOFError, zlib.error), gzip.open(path) as file:
            unpacked = file.read(512)
    return unpacked[_TAR_MAGIC] == b"ustar"
