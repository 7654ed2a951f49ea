"""Failed inputs that a resumed batch reads again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from emodetect.batch.listing import input_of
from emodetect.batch.manifest import Entry
from emodetect.batch.remote import is_remote, local_path
from emodetect.errors import EmodetectError

_UNREAD = "no such file", "cannot be read ("
"""Beginnings of the reasons of inputs whose content was not read."""


def retry_failed(entries: Iterable[Entry], folder: Path) -> None:
    """Reset failed inputs whose files were missing or unreadable and are not now, or have another size than before.

    The others would fail again. Only failed inputs are looked at, since there may be millions of others.

    Args:
        entries: states of all inputs; changed in place.
        folder: the folder that names of inputs are relative to.
    """
    for entry in entries:
        if entry.state != "failed":
            continue
        was_unread = entry.reason.startswith(_UNREAD)
        path = _local(entry.path, folder)
        if path is None:
            is_due = was_unread and entry.size >= 0  # a size is known only of those that were listed
        else:
            is_due = os.path.isfile(path) and os.access(path, os.R_OK) and (was_unread or path.stat().st_size != entry.size)
            if is_due:
                found = input_of(path)
                entry.kind, entry.size = found.kind, found.size
        if is_due:
            entry.state, entry.reason, entry.hash, entry.deaths = "waiting", "", b"", 0


def _local(path: str, folder: Path) -> Path | None:
    """File of an input on this machine; None for one of an object store."""
    if not is_remote(path):
        return folder / path
    with contextlib.suppress(EmodetectError):
        local = local_path(path)
        return None if local is None else Path(local)
    return None
