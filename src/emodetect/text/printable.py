"""Escaping of untrusted text (file names, URLs, messages of other libraries, model metadata) before it is shown.

Commands print through `emodetect.cli.messages`. This module has the functions for titles, captions, reports and CSV cells.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

_HIDDEN = "***"

_SCHEME = r"\b[a-z0-9][a-z0-9+.-]{0,30}:/{1,2}"
"""The scheme of an address. An address that was turned into a path has one slash only; a mistyped one may begin with a digit."""

_END = r"(?=: |; |, | \(|['\"](?!\w)|$)"
"""Possible end of an address in a message. Addresses may contain spaces, and hiding too much is better than too little."""

_USER_INFO = re.compile(rf"({_SCHEME})(?:[^\s/?#@]*:(?!\d{{1,5}}(?:[/?#'\")]|:\s|$)).*|\S*)@", re.IGNORECASE)
"""User and password, which may contain spaces, slashes and @, unless a host and port come first."""

_LONE_USER_INFO = re.compile(
    r"(?:(?<![^\s'\"(=,;<])|(?<=/))(?![a-z]:\\)[^\s'\"(=,;</:@][^\s:/@]{0,200}:(?![\s/])[^@]*@(?=[\w\[])", re.IGNORECASE
)
"""``user:password@host`` without a scheme, also within a path; not the drive of a Windows path."""

_NO_PORT = re.compile(rf"({_SCHEME})[^\s/?#@:\[\]'\"]{{1,200}}:(?!\d{{1,5}}(?![\w%]))[^\s/?#'\"]+", re.IGNORECASE)
"""Text after the colon of a host that is not a port: a password whose @ is encoded or missing."""

_QUERY = re.compile(rf"({_SCHEME}[^\s?#'\"]{{0,999}}[?#]).*?{_END}", re.IGNORECASE)
"""Query or fragment; some services put tokens there."""

_STREAM_PATH = re.compile(
    rf"\b((?:rts|rtm|rtp|sr|ud|tc|mms|rist)[a-z]{{0,3}}:/{{1,2}}[^\s/?#'\"]+/)[^\s'\"].*?{_END}", re.IGNORECASE
)
"""Address of a stream. Even its path may be secret: the key of a broadcast, the password of a camera."""

_SECRET = re.compile(
    r"((?:token|passw(?:or)?d|passphrase|pwd|secret|signature|credentials?|api[_-]?key|access[_-]?key)['\"]?\s?[=:]\s?['\"]?"
    r"|[?&;](?:key|pass|pw|auth|sig|user|usr|code|j?session(?:id)?|sid)="
    r"|\b(?:bearer|basic|digest) (?=[\w+/=.-]*\d))[^\s&;,#'\")]+",
    re.IGNORECASE,
)
"""The name of a secret, with its value."""

_FORMULA = re.compile(r"(?:^|(?<=;))(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Start of a formula. Spreadsheets also accept the full-width forms of these characters."""

# Control characters, invisible ones (which can reverse the writing direction), undecodable bytes, line separators.
_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """Escape control characters, line breaks included, which terminals, spreadsheets and browsers would interpret."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _ESCAPED_CATEGORIES else c for c in text)


def without_credentials(text: str) -> str:
    """Hide users, passwords and tokens of addresses in a message, with a scheme or without."""
    if "@" in text:
        head, _, tail = text.rpartition("@")
        text = _LONE_USER_INFO.sub(f"{_HIDDEN}@", _USER_INFO.sub(rf"\1{_HIDDEN}@", f"{head}@{tail[:1]}")) + tail[1:]
    if ":/" in text:
        text = _NO_PORT.sub(rf"\1{_HIDDEN}", text)
        text = _STREAM_PATH.sub(r"\1...", _QUERY.sub(rf"\1{_HIDDEN}", text))
    return _SECRET.sub(rf"\1{_HIDDEN}", text)


def one_line(text: str) -> str:
    """Convert text to one line, without control characters and secrets in URLs."""
    return printable(without_credentials(" ".join(text.split())))


def public_name(name: str) -> str:
    """Make a user's input public, for messages and data: a file name unchanged, a URL without secrets."""
    if looks_like_address(name):
        scheme, _, rest = name.partition(":")
        user, at, place = rest.lstrip("/").rpartition("@")
        return without_credentials(f"{scheme}://{_HIDDEN if user else ''}{at}{place}")  # a path has one slash only
    return name if os.path.lexists(name.replace("\0", "")) else without_credentials(name)


def width(text: str) -> int:
    """Width of a line in terminal columns: two for East Asian wide letters, none for combining marks."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def caption(text: str) -> str:
    """Format a file name for drawing: one line, with composed characters (NFC), as fonts need them; macOS decomposes names."""
    return unicodedata.normalize("NFC", printable(" ".join(text.split())))


def counted(number: int, noun: str, several: str | None = None) -> str:
    """Format a number with its noun: 1 frame, 3,000 frames.

    Args:
        number: the number.
        noun: singular of the noun.
        several: an irregular plural, such as "people"; None to add an s.
    """
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def enumerated(items: Iterable[object]) -> str:
    """Join items for a message: a, b and c."""
    *others, last = map(str, items)
    return f"{', '.join(others)} and {last}" if others else last


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def looks_like_address(text: str) -> bool:
    """Whether text looks like a URL (``scheme://...``), not a Windows drive (``c:/``)."""
    return re.match(r"[a-z][a-z0-9+.-]+:/", text, re.IGNORECASE) is not None


def public_address(address: str) -> str:
    """The public part of a stream's address: scheme, host and port.

    User names and passwords come before the host, but some cameras and services put them in the query or the path.
    """
    scheme = address.partition(":")[0]
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://{_HIDDEN}"
    rest = address.partition("://")[2][len(parts.netloc) :]
    if not host or "@" in rest:  # an unescaped / in a password makes a part of it look like the host
        return f"{scheme}://{_HIDDEN}"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{'/...' if rest.strip('/') else ''}"


def csv_cell(value: object) -> object:
    """Make a value safe for a CSV file. Control characters in text are escaped. Text that a spreadsheet would run as a formula
    gets an apostrophe before it, also after a semicolon, which separates cells in many countries. Numbers are unchanged.

    See OWASP, "CSV Injection": https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    return _FORMULA.sub("'", printable(value))
