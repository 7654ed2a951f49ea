"""Inputs in object stores and other file systems, by URLs of fsspec: ``s3://``, ``gs://``, ``file://``, ``memory://``.

Credentials come from the store's usual configuration, never from a URL.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emodetect.errors import BackendUnavailableError, SourceError, first_line
from emodetect.system.install_hints import extra_cure
from emodetect.text.printable import looks_like_address, public_name, without_credentials

_OWN_PROCESS = "memory:"
"""Scheme of files that exist only in the memory of this process."""


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


def find_files(name: str) -> tuple[list[tuple[str, int]], bool]:
    """Files of a URL: a file, a folder with all files below it, or a pattern.

    Args:
        name: the URL.

    Returns:
        URL and size of each file, bytes, and whether the given URL is a file.

    Raises:
        SourceError: the URL contains credentials, or cannot be read.
        BackendUnavailableError: a required package is missing.
    """
    if holds_credentials(name):
        raise SourceError("holds credentials; give them to the store's own configuration or variables, and take them out")
    with _failures(name):
        files, path = _opened(name)
        if "*" in path or "?" in path:
            found = files.glob(path, detail=True)
        elif files.isdir(path):
            found = files.find(path, detail=True)
        else:
            return [(name, int(files.info(path).get("size") or 0))], True
        facts = [(files.unstrip_protocol(one), details) for one, details in found.items()]
        return [(one, int(details.get("size") or 0)) for one, details in facts if details.get("type") == "file"], False


@contextmanager
def fetched(name: str) -> Iterator[Path]:
    """Local file with this content: a temporary copy, or the file itself if it is on this machine.

    Raises:
        SourceError: the URL cannot be read.
        BackendUnavailableError: a required package is missing.
    """
    from fsspec.implementations.local import LocalFileSystem

    with tempfile.TemporaryDirectory(prefix="emodetect-batch-") as folder:
        with _failures(name):
            files, path = _opened(name)
            file = Path(path)
            if not isinstance(files, LocalFileSystem):
                file = Path(folder) / Path(path).name
                files.get_file(path, str(file))
        yield file


def _opened(name: str) -> tuple[Any, str]:
    """File system of a URL, and the path in it."""
    from fsspec.core import url_to_fs

    files, path = url_to_fs(name)
    return files, path


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
