"""Text from outside (file names, addresses, other libraries' messages, model metadata) made fit to be shown.

Commands print it with `emodetect.cli.messages` alone; titles, captions, reports and cells of CSV files have their functions here.
"""

from __future__ import annotations

import os
import re
import unicodedata
from urllib.parse import urlsplit

_HIDDEN = "***"

_SCHEME = r"\b[a-z0-9][a-z0-9+.-]{0,30}:/{1,2}"
"""A path that was an address has lost one of its two slashes; what is mistyped may begin with a number."""

_END = r"(?=: |; |, | \(|['\"](?!\w)|$)"
"""Where an address may end in a message: it may hold spaces, and hiding too much is better than too little."""

_USER_INFO = re.compile(rf"({_SCHEME})(?:[^\s/?#@]*:(?!\d{{1,5}}(?:[/?#'\")]|:\s|$)).*|\S*)@", re.IGNORECASE)
"""User and password, which may hold spaces, slashes and @, unless what comes first is a host and its port."""

_LONE_USER_INFO = re.compile(
    r"(?:(?<![^\s'\"(=,;<])|(?<=/))(?![a-z]:\\)[^\s'\"(=,;</:@][^\s:/@]{0,200}:(?![\s/])[^@]*@(?=[\w\[])", re.IGNORECASE
)
"""``user:password@host`` without a scheme, also as a part of a path; not the drive of a Windows path."""

_NO_PORT = re.compile(rf"({_SCHEME})[^\s/?#@:\[\]'\"]{{1,200}}:(?!\d{{1,5}}(?![\w%]))[^\s/?#'\"]+", re.IGNORECASE)
"""What follows a host's colon and is no port is a password whose @ is written in another way, or was forgotten."""

_QUERY = re.compile(rf"({_SCHEME}[^\s?#'\"]{{0,999}}[?#]).*?{_END}", re.IGNORECASE)
"""What follows a question mark, or a number sign, after which some services hand out their tokens."""

_STREAM_PATH = re.compile(
    rf"\b((?:rts|rtm|rtp|sr|ud|tc|mms|rist)[a-z]{{0,3}}:/{{1,2}}[^\s/?#'\"]+/)[^\s'\"].*?{_END}", re.IGNORECASE
)
"""Of a stream's address even the path may be what opens it: the key of a broadcast, the password of a camera."""

_SECRET = re.compile(
    r"((?:token|passw(?:or)?d|passphrase|pwd|secret|signature|credentials?|api[_-]?key|access[_-]?key)['\"]?\s?[=:]\s?['\"]?"
    r"|[?&;](?:key|pass|pw|auth|sig|user|usr|code|j?session(?:id)?|sid)="
    r"|\b(?:bearer|basic|digest) (?=[\w+/=.-]*\d))[^\s&;,#'\")]+",
    re.IGNORECASE,
)
"""A name that tells a secret, and its value."""

# Control characters, invisible ones (which can turn the direction of writing round), undecodable bytes, line separators.
_UNFIT = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """Text in which what a terminal, a spreadsheet or a browser obeys is escaped: control characters, also line breaks."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNFIT else c for c in text)


def without_credentials(text: str) -> str:
    """A message in which the users, passwords and tokens of addresses are hidden, with a scheme or without."""
    if "@" in text:
        head, _, tail = text.rpartition("@")
        text = _LONE_USER_INFO.sub(f"{_HIDDEN}@", _USER_INFO.sub(rf"\1{_HIDDEN}@", f"{head}@{tail[:1]}")) + tail[1:]
    if ":/" in text:
        text = _NO_PORT.sub(rf"\1{_HIDDEN}", text)
        text = _STREAM_PATH.sub(r"\1...", _QUERY.sub(rf"\1{_HIDDEN}", text))
    return _SECRET.sub(rf"\1{_HIDDEN}", text)


def one_line(text: str) -> str:
    """Text as one line without control characters, which a terminal would obey, and without what opens a stream."""
    return printable(without_credentials(" ".join(text.split())))


def public_name(name: str) -> str:
    """What may stand in messages and data of what a user named: the name of a file as it is, an address without its secrets."""
    if looks_like_address(name):
        scheme, _, rest = name.partition(":")
        user, at, place = rest.lstrip("/").rpartition("@")
        return without_credentials(f"{scheme}://{_HIDDEN if user else ''}{at}{place}")  # a path has lost one of the slashes
    return name if os.path.lexists(name.replace("\0", "")) else without_credentials(name)


def width(text: str) -> int:
    """How many columns of a terminal a line takes: two for each letter of East Asia, none for marks on others."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def caption(text: str) -> str:
    """One line to be drawn: letters and their marks in one, as fonts have them; macOS takes them apart in names of files."""
    return unicodedata.normalize("NFC", one_line(text))


def counted(number: int, noun: str, several: str | None = None) -> str:
    """A number of things: 1 frame, 3,000 frames; ``several`` where the plural takes more than an s: 2 people."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def looks_like_address(text: str) -> bool:
    """Whether this is an address (``scheme://...``, not a drive as in ``c:/``), as far as one can tell."""
    return re.match(r"[a-z][a-z0-9+.-]+:/", text, re.IGNORECASE) is not None


def public_address(address: str) -> str:
    """What of a stream's address may be shown: scheme, host and port.

    Names and passwords stand before the host, but also in the query and, with some cameras and services, in the path.
    """
    scheme = address.partition(":")[0]
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://{_HIDDEN}"
    rest = address.partition("://")[2][len(parts.netloc) :]
    if not host or "@" in rest:  # an unescaped / in a password would make a part of it look like the host
        return f"{scheme}://{_HIDDEN}"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{'/...' if rest.strip('/') else ''}"


def csv_cell(value: object) -> object:
    """A value for a CSV file: a text's control characters are escaped, and one that a spreadsheet would run as a formula gets an
    apostrophe before it; numbers stay.

    See OWASP, "CSV Injection": https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
