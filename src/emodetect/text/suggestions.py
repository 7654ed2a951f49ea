"""Suggestions ("did you mean") for the end of a message."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from mimetypes import guess_type
from pathlib import Path

_MIN_SIMILARITY = 0.6
"""Minimum similarity of a misspelled word (the default of `difflib`)."""

_MIN_FILE_SIMILARITY = 0.75
"""Minimum similarity of a misspelled file name; higher, since suffixes match anyway."""

_READ_BY = {"image": "photos", "video": "clips", "report": "logs"}
"""Kind of files that each command reads."""

_MAX_NAMES = 5000
"""Maximum number of names in a folder that are compared; more would take a second."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggestion for an unknown name, ``; did you mean 'x'?``; empty if no known name is similar. Case-insensitive.

    Args:
        name: the unknown name.
        known: all known names.
    """
    return _nearest(name, known, _MIN_SIMILARITY)


def did_you_mean_file(path: Path) -> str:
    """Suggestion for a missing file or folder, among its siblings; says if its parent folder does not exist."""
    if os.path.lexists(path):
        return "; it is a link to nowhere" if path.is_symlink() else ""
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, _MAX_NAMES)]
    except FileNotFoundError:
        return f"; the folder {path.parent} does not exist"
    except OSError:
        return ""
    return _nearest(path.name, names, _MIN_FILE_SIMILARITY)


def command_for(name: str) -> str | None:
    """Command that reads files with this suffix; None if unknown."""
    kind = "report" if name.lower().endswith(".jsonl") else (guess_type(name)[0] or "").partition("/")[0]
    return kind if kind in _READ_BY else None


def suggest_other_command(path: Path, command: str) -> str:
    """Hint ``; clips are for 'emodetect video'`` if the suffix of a file belongs to another command; otherwise empty.

    Args:
        path: the file.
        command: the current command.
    """
    other = command_for(path.name)
    return f"; {_READ_BY[other]} are for 'emodetect {other}'" if other not in (None, command) else ""


def _nearest(name: str, known: Iterable[str], cutoff: float) -> str:
    spellings = {other.lower(): other for other in known}
    found = get_close_matches(name.lower(), spellings, n=1, cutoff=cutoff)
    return f"; did you mean {spellings[found[0]]!r}?" if found else ""
