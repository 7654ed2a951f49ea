"""Where this system has a font with given letters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

from emodetect.drawing.lettering import FontLettering

_CJK = ("notosanscjk-regular.ttc", "notosanscjk-vf.otf.ttc", "sourcehansans.ttc", "arial unicode.ttf")
_LATIN = ("dejavusans.ttf", "notosans-regular.ttf", "liberationsans-regular.ttf", "segoeui.ttf", "helvetica.ttc", "arial.ttf")
_KNOWN: dict[str, tuple[str, ...]] = {
    "ko": ("malgun.ttf", "applesdgothicneo.ttc", "nanumgothic.ttf", *_CJK),
    "ja": ("yugothm.ttc", "meiryo.ttc", "msgothic.ttc", "ヒラギノ角ゴシック w3.ttc", "ipag.ttf", *_CJK),
    "zh": ("msyh.ttc", "simsun.ttc", "pingfang.ttc", "hiragino sans gb.ttc", "wqy-microhei.ttc", *_CJK),
}
"""Fonts that systems bring or people install, by language, those made for it first; the other languages have `_LATIN`."""


def find_font(language: str, letters: str) -> FontLettering | None:
    """A font for a language, if there is one here that has all of the letters.

    Fontconfig knows best, where there is one; elsewhere well-known files are looked for in the folders that systems have.

    Args:
        language: as ISO 639-1 has it.
        letters: what is to be written.
    """
    for path, index in (*_from_fontconfig(language), *_from_folders(language)):
        try:
            font = FontLettering(path, index)
        except OSError:
            continue
        if font.covers(letters):
            return font
    return None


def _from_fontconfig(language: str) -> list[tuple[Path, int]]:
    command = ["fc-match", "-f", "%{file}\n%{index}\n", f"sans-serif:lang={language}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    path, _, index = done.stdout.strip().partition("\n")
    return [(Path(path), int(index))] if index.isdecimal() else []


def _from_folders(language: str) -> Iterator[tuple[Path, int]]:
    # macOS hands out names in decomposed characters.
    files = {normalize("NFC", path.name).lower(): path for folder in _folders() for path in folder.rglob("*.[to]t[cf]")}
    return ((files[name], 0) for name in _KNOWN.get(language, _LATIN) if name in files)


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", home / "AppData/Local/Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
