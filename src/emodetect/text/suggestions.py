"""Suggestions ("did you mean") for the end of a message."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from mimetypes import guess_type
from pathlib import Path

_NEAR = 0.6
"""Similarity from which on one word may be another one mistyped (the default of `difflib`)."""

_NEAR_FILE = 0.75
"""The same for file names; higher, since their endings agree anyway."""

_READ_BY = {"image": "photos", "video": "clips", "report": "logs"}
"""What each command reads."""

_MANY = 5000
"""Names of a folder that are compared at most; more would take a second."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` if a known name is similar, else an empty string. Case does not matter.

    Args:
        name: the name that is not known.
        known: all known names.
    """
    return _nearest(name, known, _NEAR)


def did_you_mean_file(path: Path) -> str:
    """The same for a missing file or folder, among its neighbors; says if its parent folder does not exist."""
    if os.path.lexists(path):
        return "; it is a link to nowhere" if path.is_symlink() else ""
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, _MANY)]
    except FileNotFoundError:
        return f"; the folder {path.parent} does not exist"
    except OSError:
        return ""
    return _nearest(path.name, names, _NEAR_FILE)


def command_for(name: str) -> str | None:
    """The command that reads files with this ending; None if unknown."""
    kind = "report" if name.lower().endswith(".jsonl") else (guess_type(name)[0] or "").partition("/")[0]
    return kind if kind in _READ_BY else None


def meant_for_another(path: Path, command: str) -> str:
    """``; clips are for 'emodetect video'`` if the ending of a file belongs to another command, else an empty string.

    Args:
        path: the file.
        command: the command that it was given to.
    """
    other = command_for(path.name)
    return f"; {_READ_BY[other]} are for 'emodetect {other}'" if other not in (None, command) else ""


def _nearest(name: str, known: Iterable[str], cutoff: float) -> str:
    spellings = {other.lower(): other for other in known}
    found = get_close_matches(name.lower(), spellings, n=1, cutoff=cutoff)
    return f"; did you mean {spellings[found[0]]!r}?" if found else ""
