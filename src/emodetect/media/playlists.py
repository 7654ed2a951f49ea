"""Process-wide setting: whether clips may be playlists, or other files that refer to further files."""

from __future__ import annotations

_allowed = False


def allow_playlists(allowed: bool) -> None:
    """Set whether a clip may be a playlist, or another format that makes FFmpeg read further files of this machine."""
    global _allowed
    _allowed = allowed


def allows_playlists() -> bool:
    """Whether a clip may be a playlist."""
    return _allowed
