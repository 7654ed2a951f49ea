"""Search for fonts on the system."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from unicodedata import normalize

from emodetect.drawing.lettering import FontLettering
from emodetect.system.child_processes import run_child

_CJK = ("notosanscjk-regular.ttc", "notosanscjk-vf.otf.ttc", "sourcehansans.ttc", "arial unicode.ttf")
_LATIN = ("dejavusans.ttf", "notosans-regular.ttf", "liberationsans-regular.ttf", "segoeui.ttf", "helvetica.ttc", "arial.ttf")
_KNOWN: dict[str, tuple[str, ...]] = {
    "ko": ("malgun.ttf", "applesdgothicneo.ttc", "nanumgothic.ttf", *_CJK),
    "ja": ("yugothm.ttc", "meiryo.ttc", "msgothic.ttc", "ヒラギノ角ゴシック w3.ttc", "ipag.ttf", *_CJK),
    "zh": ("msyh.ttc", "simsun.ttc", "pingfang.ttc", "hiragino sans gb.ttc", "wqy-microhei.ttc", *_CJK),
}
"""Well-known font files by language, the most specific first; other languages use `_LATIN`."""

_MAX_CODE_POINTS = 1000
"""Maximum number of letters in a query of Fontconfig, since the length of a command line is limited."""


def find_font(language: str, letters: str) -> FontLettering | None:
    """Find a font that has all of these letters; None if there is none.

    Fontconfig is used if it is installed. Otherwise well-known files are looked up in the system's font folders.

    Args:
        language: ISO 639-1 code.
        letters: the required letters.
    """
    candidates = _opened([*_from_fontconfig(f"sans-serif:lang={language}"), *_from_folders(language)])
    return next((font for font in candidates if font.covers(letters)), None)


def find_fonts(language: str, letters: str) -> list[FontLettering]:
    """Find fonts that together have as many of these letters as possible.

    Args:
        language: ISO 639-1 code of the preferred language for letters that languages write differently.
        letters: the required letters, in any script.
    """
    missing, fonts = {*letters}, []
    codes = " ".join(f"{ord(letter):x}" for letter in sorted(missing)[:_MAX_CODE_POINTS])
    patterns = (f"sans-serif:lang={language}", f"sans-serif:lang={language}:charset={codes}")
    places = [place for pattern in patterns for place in _from_fontconfig(pattern)]
    for font in _opened([*places, *_from_folders(language, *_KNOWN)]):
        if not missing:
            break
        if found := {letter for letter in missing if font.covers(letter)}:
            fonts.append(font)
            missing -= found
    return fonts


@cache
def shipped_font() -> FontLettering:
    """The bundled font, which has the letters of most alphabets, and is the same on every machine."""
    return FontLettering(Path(__file__).parent / "data" / "DejaVuSans.ttf")


def _opened(places: Iterable[tuple[Path, int]]) -> Iterator[FontLettering]:
    """Open the fonts at these paths, each once; invalid files are skipped."""
    for path, index in dict.fromkeys(places):
        with contextlib.suppress(OSError):
            yield FontLettering(path, index)


def _from_fontconfig(pattern: str) -> list[tuple[Path, int]]:
    """Paths and indices of the fonts that match a Fontconfig pattern, the best first."""
    command = ["fc-match", "--sort", "-f", "%{file}\n%{index}\n", pattern]
    try:
        done = run_child(command, seconds=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = os.fsdecode(done.stdout).splitlines()
    return [(Path(path), int(index)) for path, index in zip(lines[::2], lines[1::2], strict=False) if index.isdecimal()]


def _from_folders(*languages: str) -> list[tuple[Path, int]]:
    # macOS returns names in decomposed characters.
    files = {normalize("NFC", path.name).lower(): path for folder in _folders() for path in folder.rglob("*.[to]t[cf]")}
    return [(files[name], 0) for language in languages for name in _KNOWN.get(language, _LATIN) if name in files]


def _folders() -> list[Path]:
    home = Path(os.path.expanduser("~"))  # unchanged without a home folder
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", home / "AppData/Local/Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
