"""Inputs in object stores and other file systems, by URLs of fsspec: ``s3://``, ``gs://``, ``file://``, ``memory://``.

Credentials come from the store's usual configuration, never from a URL.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from emodetect.errors import BackendUnavailableError, SourceError, first_line
from emodetect.sources.image_tree import is_system_file
from emodetect.system.install_hints import extra_cure
from emodetect.text.printable import looks_like_address, public_name, without_credentials

_OWN_PROCESS = "memory:"
"""Scheme of files that exist only in the memory of this process."""


@dataclass
class RemoteFiles:
    """Files of a URL.

    Attributes:
        sizes: size of each file by its URL, bytes.
        is_file: whether the URL itself is a file.
        left_out: number of skipped files by kind: singular and plural of its name.
    """

    sizes: dict[str, int]
    is_file: bool = False
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)


def is_remote(name: str) -> bool:
    """Whether a name is a URL."""
    return looks_like_address(name)


def holds_credentials(name: str) -> bool:
    """Whether a URL has a user, a password, or a query, which may contain a token."""
    rest = name.partition("://")[2]
    return "@" in rest.partition("/")[0] or re.search(r"\?[^=/]+=", rest) is not None


def is_in_this_process(name: str) -> bool:
    """Whether only this process can read a URL."""
    return name.startswith(_OWN_PROCESS)


def check_credentials(name: str) -> None:
    """Check that a URL has no credentials, which would appear in the results.

    Raises:
        SourceError: it has.
    """
    if holds_credentials(name):
        raise SourceError("holds credentials; give them to the store's own configuration or variables, and take them out")


def local_path(name: str) -> str | None:
    """Path of a URL on this machine, such as ``file:///folder``; None for others.

    Raises:
        SourceError: the URL is invalid.
        BackendUnavailableError: a required package is missing.
    """
    with _failures(name):
        files, path = _opened(name)
        return path if _is_local(files) else None


def find_files(name: str) -> RemoteFiles:
    """Find the files of a URL: a file, a folder with all files below it, or a pattern.

    Hidden files are skipped, as in local folders, and links are followed to files.

    Args:
        name: the URL, not of this machine.

    Raises:
        SourceError: the URL cannot be read.
        BackendUnavailableError: a required package is missing.
    """
    with _failures(name):
        files, path = _opened(name)
        if "*" in path or "?" in path:
            listed = RemoteFiles({})
            found = files.glob(path, detail=True)
            if "/." not in path:
                found = {one: details for one, details in found.items() if "/." not in one}
        elif files.isdir(path):
            found = files.find(path, detail=True)
            hidden = {one: _hidden(one, path) for one in found}
            listed = RemoteFiles({}, left_out=Counter({("hidden file", "hidden files"): len({*hidden.values()} - {None})}))
            found = {one: details for one, details in found.items() if hidden[one] is None}
        else:
            return RemoteFiles({name: int(files.info(path).get("size") or 0)}, is_file=True)
        for one, details in found.items():
            if details.get("type") == "link":
                details = _target(files, one)
                listed.left_out["link to nowhere", "links to nowhere"] += not details
            if details.get("type") == "file":
                listed.sizes[files.unstrip_protocol(one)] = int(details.get("size") or 0)
        return listed


def _hidden(path: str, folder: str) -> str | None:
    """Path of the hidden file, or of the top hidden folder, on the way from a folder to a file; None if there is none."""
    parts = PurePosixPath(path.removeprefix(folder)).parts
    count = next((count for count, part in enumerate(parts, start=1) if is_system_file(part)), None)
    return None if count is None else "/".join(parts[:count])


def _target(files: Any, link: str) -> dict[str, Any]:
    """Details of the file that a link leads to; empty if it leads nowhere."""
    try:
        return dict(files.info(link))
    except FileNotFoundError:
        return {}


@contextmanager
def beginning(name: str, size: int) -> Iterator[Path]:
    """Temporary file of the same name with the first bytes of a file.

    Args:
        name: URL of the file.
        size: maximum number of bytes.

    Raises:
        SourceError: the URL cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="emodetect-batch-") as folder:
        with _failures(name):
            files, path = _opened(name)
            file = Path(folder) / Path(path).name
            with files.open(path, "rb") as content:
                file.write_bytes(content.read(size))
        yield file


@contextmanager
def fetched(name: str) -> Iterator[Path]:
    """Local file with this content: a temporary copy, or the file itself if it is on this machine.

    Raises:
        SourceError: the URL cannot be read.
        BackendUnavailableError: a required package is missing.
    """
    with tempfile.TemporaryDirectory(prefix="emodetect-batch-") as folder:
        with _failures(name):
            files, path = _opened(name)
            file = Path(path)
            if not _is_local(files):
                file = Path(folder) / Path(path).name
                files.get_file(path, str(file))
        yield file


def _opened(name: str) -> tuple[Any, str]:
    """File system of a URL, and the path in it."""
    from fsspec.core import url_to_fs

    files, path = url_to_fs(name)
    return files, path


def _is_local(files: Any) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(files, LocalFileSystem)


@contextmanager
def _failures(name: str) -> Iterator[None]:
    """Convert errors of file systems to errors of this package."""
    try:
        yield
    except ImportError as error:
        is_in_extra = (error.name or "").startswith("fsspec") or "s3fs" in str(error)  # fsspec names those of other stores
        hint = extra_cure("remote") if is_in_extra else first_line(error)
        raise BackendUnavailableError(f"{public_name(name)}: a package for such addresses is missing", hint=hint) from error
    except FileNotFoundError:
        raise SourceError(f"{name}: no such file") from None
    except Exception as error:  # each store has its own exceptions
        raise SourceError(f"{name}: cannot be read ({without_credentials(first_line(error))})") from error
