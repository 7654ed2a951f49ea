"""Setting of the process: whether clips may be playlists, or other files that name further files."""

from __future__ import annotations

_allowed = False


def allow_playlists(allowed: bool) -> None:
    """Set whether a clip may be a playlist, or of another kind that makes FFmpeg read other files of this machine."""
    global _allowed
    _allowed = allowed


def allows_playlists() -> bool:
    """Whether a clip may be a playlist."""
    return _allowed
