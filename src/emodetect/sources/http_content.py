"""Description of a web server's response that is no stream: a web page, often a login page, JSON or text."""

from __future__ import annotations

import html
import re

from emodetect.text.printable import printable

TITLE_BYTES = 8192
"""Number of bytes that contain the title of a web page."""

_PAGE = re.compile(rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title\b[^>]*>(.{1,500}?)</title", re.IGNORECASE | re.DOTALL)
_MAX_TITLE_LENGTH = 80


def is_text(start: bytes) -> bool:
    """Whether the first bytes are text, as in no stream except playlists and multipart responses."""
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # otherwise the last character is truncated
            return False
        text = start[: error.start].decode()
    return all(character.isprintable() or character in "\t\r\n\f\x1b\ufeff" for character in text)


def text_in_words(start: bytes) -> str:
    """Describe a text: "a web page (Log in)", "JSON", "nothing".

    Args:
        start: its first bytes.
    """
    if not start.strip():
        return "nothing"
    if _PAGE.match(start):
        title = _TITLE.search(start.decode(errors="replace"))
        name = printable(" ".join(html.unescape(title[1]).split())) if title else ""
        return f"a web page ({name[:_MAX_TITLE_LENGTH]})" if name else "a web page"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"ffconcat", b"[playlist]", b"v=0")):
        return "a list of other addresses"
    return "JSON" if text[:1] in (b"{", b"[") else "XML" if text.startswith(b"<?xml") else "text"
