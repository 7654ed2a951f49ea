"""Temporary files with images of people, which are removed however the process ends."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX, _OWNER = "emodetect-", ".emodetect-owner"
"""Prefix of the folders, and the file in each that its owner keeps locked; the system releases the lock when the owner ends."""

_CACHES = re.compile(r"emodetect-[0-9a-f]{16}-([0-9]{1,9})")
"""Name of a process's folder for the caches of libraries, with its process id."""

_MAX_UNLOCKED_SECONDS = 3600.0
"""Seconds after which an unlocked folder counts as abandoned, since process ids of containers may coincide."""

_folders: set[Path] = set()


@dataclass(frozen=True)
class ScratchFile:
    """A file that a child process writes and this one reads.

    Attributes:
        path: its name in the child.
        descriptors: file descriptors that the child must inherit.
    """

    path: Path
    descriptors: tuple[int, ...] = ()

    def read(self) -> bytes:
        """The content; empty if the child has not written it."""
        return self.path.read_bytes() if self.path.exists() else b""


@contextlib.contextmanager
def scratch_file(name: str) -> Iterator[ScratchFile]:
    """Create an unnamed file in memory if the system supports that, otherwise a file in a `scratch_folder`.

    Args:
        name: name of the file, if it needs one.
    """
    with contextlib.ExitStack() as stack:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create(name)
            stack.callback(os.close, descriptor)
            path = Path(f"/proc/self/fd/{descriptor}")
            if path.exists():
                yield ScratchFile(path, (descriptor,))
                return
        yield ScratchFile(stack.enter_context(scratch_folder()) / name)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Create a folder that is removed afterwards; if this process is killed, by `sweep` in a later one."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    _folders.add(folder)
    try:
        owner = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(owner, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(owner)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


def remove_folders() -> None:
    """Remove the folders of this process at once; for a process that exits without waiting."""
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of killed processes of this user."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _sweep(Path(entry.path))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _sweep(folder: Path) -> None:
    found = folder.lstat()
    if found.st_uid != os.getuid():
        return
    is_old = time.time() - found.st_mtime > _MAX_UNLOCKED_SECONDS
    if caches := _CACHES.fullmatch(folder.name):
        if is_old and not _is_running(int(caches[1])):
            shutil.rmtree(folder, ignore_errors=True)
        return
    if is_old and not os.listdir(folder):  # its owner was killed before it could create the lock file
        folder.rmdir()
        return
    owner = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(owner).st_mode):
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(owner)
