"""Safe output files: no silent overwrite, one writer at a time, atomic writes."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emodetect.errors import OutputError, about

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

STANDARD_OUTPUT = Path("-")
"""Name of standard output, for outputs that may be streams."""

_MAX_NAMES = 10_000
"""Maximum number of numbered files with one name."""

_LOCKED_BYTE = 2**62
"""Offset of the lock on Windows: past the end, since other programs, such as FFmpeg, cannot write a locked byte."""

# Windows needs no flag against following links, but one for binary mode.
_OPEN_FLAGS = os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW_FLAGS = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)

PARTIAL_PREFIX, PARTIAL_SUFFIX = ".emodetect-", ".partial"
"""Prefix of the name of an incomplete file, and the part before its suffix."""

_Identity = tuple[int, int]
"""Device and inode of a file: the same for each of its names."""


@dataclass(frozen=True)
class Output:
    """A file that a command will write.

    Attributes:
        path: the file.
        suffixes: allowed suffixes, which determine the format; empty for any.
        streams: whether a named pipe or a device is allowed, whatever its name.
        parameter: name of the parameter with the file, for errors.
    """

    path: Path
    suffixes: tuple[str, ...] = ()
    streams: bool = False
    parameter: str = "output"


class Inputs:
    """The input files of a command, which it never overwrites, under whatever name or link.

    Args:
        named: each file or folder with its description for messages: "the clip itself". A folder means all pictures below it.
    """

    def __init__(self, named: Iterable[tuple[Path, str]]) -> None:
        self._files: dict[_Identity, str] = {}
        self._folders: list[tuple[Path, str]] = []
        for path, what in named:
            with contextlib.suppress(OSError, ValueError):
                found = path.stat()
                if stat.S_ISDIR(found.st_mode):
                    self._folders.append((path, what))
                elif stat.S_ISREG(found.st_mode):
                    self._files.setdefault((found.st_dev, found.st_ino), what)

    def refuse(self, path: Path) -> None:
        """Check that a file, which may not exist, is no input.

        Raises:
            OutputError: the file is an input.
        """
        try:
            found = path.stat()
        except (OSError, ValueError):
            return
        identity = found.st_dev, found.st_ino
        what = self._files.get(identity)
        if what is None and path.suffix.lower() == ".png":  # the only kind of output that data sets contain
            what = next((f"in {what}" for folder, what in self._folders if identity in _identities_below(folder)), None)
        if what is not None:
            raise OutputError(f"{path}: is {what}; choose another name")


def _identities_below(folder: Path) -> Iterator[_Identity]:
    """Identities of the files in a folder and its sub-folders; each real folder is visited once."""
    seen: set[_Identity] = set()
    folders = [os.fspath(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found = entry.stat()
                    identity = found.st_dev, found.st_ino
                    if not stat.S_ISDIR(found.st_mode):
                        yield identity
                    elif identity not in seen:
                        seen.add(identity)
                        folders.append(entry.path)


def is_stream(path: Path) -> bool:
    """Whether this is a pipe or a character device, a link to one, or standard output, where writing replaces nothing."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def check_outputs(outputs: Sequence[Output], inputs: Inputs, *, overwrite: bool) -> None:
    """Check that a command can write its files, before the work starts.

    Args:
        outputs: the files.
        inputs: the files that it reads.
        overwrite: whether the files may exist.

    Raises:
        OutputError: a file is an input, two files are the same, or `check_output` rejects one.
    """
    places: dict[object, Path] = {}
    for output in outputs:
        if output.streams and is_stream(output.path):
            continue
        with about(output.parameter):
            inputs.refuse(output.path)
            check_output(output.path, overwrite=overwrite, suffixes=output.suffixes)
            place = place_of(output.path)
            if place in places:
                also = "" if places[place] == output.path else f" as {places[place]}"
                raise OutputError(f"{output.path}: is named for another output, too{also}; choose another name for one of them")
        places[place] = output.path


def check_output(path: Path, *, overwrite: bool, suffixes: tuple[str, ...] = (), streams: bool = False) -> None:
    """Check that a file can be written, before the work starts.

    Args:
        path: the file.
        overwrite: whether it may exist.
        suffixes: allowed suffixes, which determine the format; empty for any.
        streams: whether a named pipe or a device is allowed, whatever its name.

    Raises:
        OutputError: the file exists already, is a symbolic link or no file, has an unknown suffix, or is being written by another
            run; or its folder does not exist or is not accessible.
    """
    if streams and is_stream(path):
        return
    try:
        _check_place(path, overwrite, suffixes)
    except OSError as error:  # a parent folder is not accessible, or a name is too long
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
        raise _exists_already(path)
    with contextlib.suppress(FileNotFoundError, PermissionError):  # not readable: writing it will fail with the reason
        descriptor = os.open(path, _OPEN_FLAGS)
        try:
            _lock_output(path, descriptor)
        finally:
            os.close(descriptor)


def _exists_already(path: Path) -> OutputError:
    return OutputError(f"{path}: exists already", hint="`overwrite` replaces it")


def place_of(path: Path) -> object:
    """A key that is equal for two names of one file, existing or not, and differs for two files."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    try:
        found = path.parent.stat()
    except OSError:
        return os.path.realpath(path)
    folded = path.name.casefold()
    ignores_case = folded != path.name and _ignores_case(path.parent)
    return found.st_dev, found.st_ino, folded if ignores_case or folded == path.name else path.name


def _ignores_case(folder: Path) -> bool:
    """Whether file names are case-insensitive in this folder, as is usual on macOS and Windows."""
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(prefix=".emodetect-", suffix=".case", dir=folder) as probe:
        return os.path.lexists(probe.name.removesuffix(".case") + ".CASE")
    return False


def is_named_pipe(path: Path) -> bool:
    """Whether this is a named pipe, which one reader may open after another."""
    return path != STANDARD_OUTPUT and Path(os.path.realpath(path)).is_fifo()


def reserve_name(path: Path) -> Path:
    """Create an empty file of this name or, if it is taken, with the first free number: name-2, name-3 and so on.

    The caller owns the file and may overwrite it. No other thread or process gets the same name.

    Args:
        path: the preferred name.

    Returns:
        The name of the file. If none can be created, a name that does not exist: writing there raises the reason.

    Raises:
        OutputError: all these names are taken.
    """
    candidates = (path, *(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, _MAX_NAMES)))
    for candidate in candidates:
        try:
            os.close(os.open(candidate, _OPEN_FLAGS | _NEW_FLAGS | os.O_EXCL, 0o666))
            return candidate
        except FileExistsError:
            continue
        except OSError:
            return candidate
    raise _exists_already(path)


def remove_if_empty(path: Path) -> bool:
    """Remove a file that was reserved but not written; returns whether it was removed."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()
            return True
    return False


def open_output(path: Path, *, overwrite: bool) -> int:
    """Open and lock a file that is written in place, or a pipe or device; returns the file descriptor.

    Standard output is reserved for its descriptor; all other prints go to standard error.

    Until the descriptor is closed, no other run can open the file in this way. The file is truncated only once it is locked. A
    file that was created since `check_output` is not overwritten without permission either. Other names of the file (hard links)
    keep its content.

    Args:
        path: the file.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: the file exists and may not be overwritten, is a symbolic link, is being written by another run, or cannot
            be written.
    """
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        descriptor = os.dup(1)
        os.dup2(2, 1)
        return descriptor
    streams = is_stream(path)
    flags = _OPEN_FLAGS if streams else _OPEN_FLAGS | _NEW_FLAGS | (0 if overwrite else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileExistsError:
        raise _exists_already(path) from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    try:
        if not streams:
            _lock_output(path, descriptor)
            check_still_there(path, descriptor)
            if os.fstat(descriptor).st_nlink > 1:
                descriptor = _replaced(path, descriptor)
            os.ftruncate(descriptor, 0)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError):
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
        raise
    return descriptor


def open_to_append(path: Path) -> int:
    """Open or create a file for reading and writing, and lock it; returns the descriptor, at the start of the file.

    Args:
        path: the file; no pipe or device.

    Raises:
        OutputError: the file is a symbolic link or no regular file, is being written by another run, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | _OPEN_FLAGS & ~os.O_WRONLY | _NEW_FLAGS, 0o666)
        try:
            _lock_output(path, descriptor)
            check_still_there(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return descriptor


def _replaced(path: Path, descriptor: int) -> int:
    """Replace the open file under its name by a new one with the same permissions, locked as well."""
    old = os.fstat(descriptor)
    os.unlink(path)
    fresh = _create(path, old)
    try:
        _copy_permissions(path, old)
        _lock_output(path, fresh)
    except BaseException:
        os.close(fresh)
        raise
    os.close(descriptor)
    return fresh


def _create(path: Path, old: os.stat_result) -> int:
    """Create a file with at most the permissions of another one, for its group and others; returns the descriptor."""
    return os.open(path, _OPEN_FLAGS | _NEW_FLAGS | os.O_EXCL, stat.S_IMODE(old.st_mode) & 0o777 | stat.S_IRUSR | stat.S_IWUSR)


def _copy_permissions(path: Path, old: os.stat_result) -> None:
    """Give a file the permissions of the file that it replaces and, if allowed, its owner."""
    with contextlib.suppress(OSError, AttributeError):  # Windows has no owners of this kind
        os.chown(path, old.st_uid, old.st_gid)
    with contextlib.suppress(PermissionError):  # some file systems have no permissions
        os.chmod(path, stat.S_IMODE(old.st_mode) & 0o777)


def _lock_output(path: Path, descriptor: int) -> None:
    if not lock(descriptor):
        raise OutputError(f"{path}: is being written by another run; wait for its end, or choose another name")


def append_all(descriptor: int, data: bytes) -> None:
    """Append data in one write. If that fails, as on a full disk, no part of it stays in the file.

    Args:
        descriptor: the open file.
        data: the bytes.

    Raises:
        OSError: the data cannot be written.
    """
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        with contextlib.suppress(OSError):  # a pipe cannot be truncated
            os.ftruncate(descriptor, os.lseek(descriptor, -written, os.SEEK_CUR))
        raise


def lock(descriptor: int) -> bool:
    """Lock an open file or folder against other runs until it is closed, or the process ends.

    Args:
        descriptor: descriptor of a file or, except on Windows, of a folder.

    Returns:
        False if another run holds the lock. True on file systems without locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
    return True


def check_still_there(path: Path, descriptor: int) -> None:
    """Check that a file being written still has its name, since the system keeps writing to a deleted one.

    Args:
        path: its name.
        descriptor: the open file; pipes and devices are not checked.

    Raises:
        OutputError: the file was deleted or moved, or another file has taken its name.
    """
    own = os.fstat(descriptor)
    if not stat.S_ISREG(own.st_mode):
        return
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    if found is None or not os.path.samestat(own, found):
        what = "moved away" if own.st_nlink else "deleted"
        now = "; another file has its name now" if found else ""
        raise OutputError(f"{path}: was {what} while it was being written{now}")


@contextlib.contextmanager
def atomic_write(path: Path, *, overwrite: bool = True, suffix: str | None = None, room: int = 0) -> Iterator[Path]:
    """Write a file atomically: to a temporary file beside it, which is renamed once it is complete.

    An error, or the end of the process, leaves an existing file unchanged. A file that replaces another gets its permissions.

    Args:
        path: final name of the file.
        overwrite: whether a file of that name may be replaced.
        suffix: suffix of the temporary name; None for that of the final name.
        room: bytes that must be free on the disk, for writers that crash on a full disk, such as HDF5.

    Yields:
        The name to write to; the file does not exist yet, or is empty.

    Raises:
        OutputError: the file exists and may not be overwritten, or cannot be written.
    """
    partial = path.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}{PARTIAL_SUFFIX}{suffix or path.suffix}")
    try:
        if room and shutil.disk_usage(path.parent).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        old = _file_at(path) if overwrite else None
        if old is not None:  # its content may be private, also while it is written
            os.close(_create(partial, old))
        yield partial
        if old is not None:
            _copy_permissions(partial, old)
        # Without this, a power failure may leave the new name with an empty file.
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        if overwrite:
            partial.replace(path)
        else:
            _rename_new(partial, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _file_at(path: Path) -> os.stat_result | None:
    """Status of the regular file with this name, without following links; None if there is none."""
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(path)
        return found if stat.S_ISREG(found.st_mode) else None
    return None


def _rename_new(partial: Path, path: Path) -> None:
    """Rename a file unless the new name exists; atomically, if the file system has hard links."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise _exists_already(path) from None
    except OSError:
        if os.path.lexists(path):
            raise _exists_already(path) from None
        partial.replace(path)
