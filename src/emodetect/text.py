"""Text from outside (file names, addresses, other libraries' messages) made fit to be shown."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

_HIDDEN = "***"

# A path that was an address has lost one of its two slashes.
_USER_INFO = re.compile(r"\b([a-z][a-z0-9+.-]*:/{1,2})\S*@", re.IGNORECASE)

# Control characters, invisible ones (which can turn the direction of writing round), undecodable bytes, line separators.
_UNFIT = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def one_line(text: str) -> str:
    """Text as one line without control characters, which a terminal would obey, and without what opens a stream."""
    text = _USER_INFO.sub(rf"\1{_HIDDEN}@", " ".join(text.split()))
    return "".join(_escaped(c) if unicodedata.category(c) in _UNFIT else c for c in text)


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
    """Whether this is an address (``scheme://...``), as far as one can tell."""
    return re.match(r"[a-z][a-z0-9+.-]*:/", text, re.IGNORECASE) is not None


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
    """A value for a CSV file: text that a spreadsheet would run as a formula gets an apostrophe before it, numbers stay.

    See OWASP, "CSV Injection": https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else value
