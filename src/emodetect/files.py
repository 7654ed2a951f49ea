"""Output files: nothing that exists is lost unasked, and nothing half written stands under its final name."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from emodetect.errors import OutputError

_MOST_NAMES = 10_000
"""How many files of one name are told apart by numbers."""


def is_stream(path: Path) -> bool:
    """Whether this is a named pipe or a character device, or a link to one: writing there replaces nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def check_output(path: Path, *, overwrite: bool, suffixes: tuple[str, ...] = (), streams: bool = False) -> None:
    """See before the work starts whether a file can be written.

    Args:
        path: the file.
        overwrite: whether it may exist.
        suffixes: endings that say what shall be in it; none for any.
        streams: whether a named pipe or a device will do as well, whatever its name.

    Raises:
        OutputError: it exists already, is a symbolic link or no file, its folder does not exist or may not be entered, or its
            ending says nothing.
    """
    if streams and is_stream(path):
        return
    try:
        _check_place(path, overwrite, suffixes)
    except OSError as error:  # a folder on the way may not be entered, or a name is too long
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _check_place(path: Path, overwrite: bool, suffixes: tuple[str, ...]) -> None:
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; expected a file name")
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: unknown kind of file; expected a name ending in {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist")
    if path.is_symlink():
        raise OutputError(f"{path}: is a symbolic link, which is not followed; name the file that it leads to")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a file but a pipe, a socket or a device")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; --overwrite replaces it")


def free_name(path: Path) -> Path:
    """This path, or, where something of that name exists, the first of name-2, name-3 and so on that is free."""
    candidates = (path, *(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, _MOST_NAMES)))
    return next((candidate for candidate in candidates if not os.path.lexists(candidate)), path)


def open_output(path: Path, *, overwrite: bool) -> int:
    """Open a file that is written in place, or a pipe or device; returns the file descriptor.

    What has appeared under this name since `check_output` looked is not overwritten either.

    Raises:
        OutputError: it exists and may not be overwritten, is a symbolic link, or cannot be written.
    """
    flags = os.O_WRONLY | os.O_CLOEXEC
    if not is_stream(path):
        flags |= os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if overwrite else os.O_EXCL)
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:
        raise OutputError(f"{path}: exists already; --overwrite replaces it") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def check_still_there(path: Path, descriptor: int) -> None:
    """See whether a file that is being written still has a name: the system goes on writing to one that was deleted.

    Args:
        path: what it was called, for the error.
        descriptor: the open file; a pipe or device is not looked at.

    Raises:
        OutputError: it was deleted.
    """
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
        raise OutputError(f"{path}: was deleted while it was being written")


@contextlib.contextmanager
def written_whole(path: Path, *, overwrite: bool = True, suffix: str | None = None, room: int = 0) -> Iterator[Path]:
    """Write a file under a temporary name beside it, and give it its own name once it is whole.

    An error, or the end of the process, leaves what stood under the name before.

    Args:
        path: the file's final name.
        overwrite: whether a file of that name may be replaced.
        suffix: ending of the temporary name; None for that of the final one.
        room: bytes that must be free on the disk; for writers that do not survive a full one, as HDF5, which ends the process.

    Yields:
        The name to write to; the file does not exist yet.

    Raises:
        OutputError: it exists and may not be overwritten, or cannot be written.
    """
    partial = path.with_name(f".emodetect-{secrets.token_hex(4)}.partial{suffix or path.suffix}")
    try:
        if room and shutil.disk_usage(path.parent).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield partial
        # Without this a power failure may leave the new name with nothing behind it.
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        if not overwrite and os.path.lexists(path):
            raise OutputError(f"{path}: exists already; --overwrite replaces it")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
