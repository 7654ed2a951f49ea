"""All images below a folder, and a count of the other files."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emodetect.errors import SourceError
from emodetect.sources.images import READ_SUFFIXES, UNREAD_SUFFIXES, is_folder_entry
from emodetect.text.printable import counted

_SYSTEM_NAMES = {
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information",
}  # fmt: skip
"""Files and folders created by operating systems, lower case; others begin with a dot, as AppleDouble files do (``._x.png``)."""

_SPECIAL = ((stat.S_ISFIFO, "named pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"))
"""File types that are never opened, since reading them may block forever."""

_MAX_KINDS = 8
"""Maximum number of kinds that are named in a message; the rest is counted."""


@dataclass
class ImageTree:
    """Content of a folder.

    Attributes:
        images: files with one of the requested suffixes, also in sub-folders, sorted.
        left_out: number of skipped files by kind: singular and plural of its name.
    """

    images: list[Path] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)


def is_system_file(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or created by an operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def special_kind(path: Path) -> str | None:
    """Kind of a special file ("named pipe", "socket", "device"); None for any other or a missing file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return next((kind for is_kind, kind in _SPECIAL if is_kind(mode)), None)


def list_images(
    folder: Path, *, sub_folders: bool = True, apart: Iterable[Path] = (), suffixes: Collection[str] = READ_SUFFIXES
) -> ImageTree:
    """List the pictures in a folder and its sub-folders.

    Hidden files, system files, special files and files of other kinds are skipped and counted. Links are followed, except to
    parent folders; no folder is read twice.

    Args:
        folder: the top folder.
        sub_folders: whether to include sub-folders; otherwise their files are not even counted.
        apart: further folders that links must not lead to.
        suffixes: the requested suffixes.

    Raises:
        SourceError: a folder cannot be read.
    """
    tree = ImageTree()
    for path, kind in _walk(folder, sub_folders, apart, suffixes):
        if kind is None:
            tree.images.append(path)
        else:
            tree.left_out[kind] += 1
    tree.images.sort()
    return tree


def in_words(left_out: Counter[tuple[str, str]]) -> str:
    """Format the counts of skipped files: "5 hidden files, 1 named pipe"; the most frequent kinds first."""
    kinds = left_out.most_common()
    named = [counted(count, *names) for names, count in kinds[:_MAX_KINDS]]
    rest = sum(count for _, count in kinds[_MAX_KINDS:])
    return ", ".join(named + ([counted(rest, "file of another kind", "files of other kinds")] if rest else []))


def _walk(
    top: Path, sub_folders: bool, apart: Iterable[Path], suffixes: Collection[str]
) -> Iterator[tuple[Path, tuple[str, str] | None]]:
    """Yield each file below a folder with the kind under which it is skipped; None for images."""
    waiting, seen = [top], {_identity(path) for path in (top, *top.absolute().parents, *top.resolve().parents, *apart)}
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(f"{folder}: cannot be read ({error.strerror or error})") from error
        for entry in entries:
            path = folder / entry.name
            if is_system_file(entry.name):
                yield path, ("hidden file", "hidden files")
            elif not is_folder_entry(entry):
                yield path, _kind(path, entry, suffixes)
            elif sub_folders:
                if _identity(path) in seen:
                    yield path, ("link to a folder that is read elsewhere", "links to folders that are read elsewhere")
                else:
                    seen.add(_identity(path))
                    waiting.append(path)


def _identity(folder: Path) -> tuple[int, int]:
    """Device and inode of a folder, which identify it whatever its path."""
    try:
        status = folder.stat()
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return status.st_dev, status.st_ino


def _kind(path: Path, entry: os.DirEntry[str], suffixes: Collection[str]) -> tuple[str, str] | None:
    """Kind under which a file is skipped; None for an image."""
    if special := special_kind(path):
        return special, f"{special}s"
    try:
        is_file = entry.is_file()
    except OSError:
        is_file = False
    if not is_file:
        return "link to nowhere", "links to nowhere"
    suffix = path.suffix.lower()
    return None if suffix in suffixes else other_kind(suffix)


def other_kind(suffix: str) -> tuple[str, str]:
    """Kind under which a file with another suffix, lower case, is skipped: singular and plural of its name."""
    if suffix in UNREAD_SUFFIXES:
        cure = "(not read here; export as JPEG)"
        return f"{suffix} picture {cure}", f"{suffix} pictures {cure}"
    return (f"{suffix} file", f"{suffix} files") if suffix else ("file without an ending", "files without an ending")
