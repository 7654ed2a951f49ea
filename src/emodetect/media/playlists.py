"""Whether clips may be playlists, or lists of clips, that lead to other files: decided for the whole process."""

from __future__ import annotations

_allowed = False


def allow_playlists(allowed: bool) -> None:
    """Decide whether a clip may be a playlist, or of another kind that makes FFmpeg read other files of this machine."""
    global _allowed
    _allowed = allowed


def allows_playlists() -> bool:
    """Whether it may."""
    return _allowed
