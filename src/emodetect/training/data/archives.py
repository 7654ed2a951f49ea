"""Data sets that are still packed."""

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
"""The first bytes of each kind of archive, and the command that unpacks it."""

_TAR_MAGIC = slice(257, 262)
"""Where a tar file says "ustar"."""


def unpacking_command(path: Path) -> str | None:
    """The command that unpacks a file; None where it is no archive.

    The file's first bytes tell, not its name. Of a compressed file it is looked whether a tar file lies in it.
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
