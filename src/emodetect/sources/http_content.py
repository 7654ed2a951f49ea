"""What a web server sends where a stream was expected, in words: a web page, often one to log in, or JSON or text."""

from __future__ import annotations

import html
import re

from emodetect.text.printable import printable

TITLE_BYTES = 8192
"""Number of bytes that contain the title of a web page."""

_PAGE = re.compile(rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title\b[^>]*>(.{1,500}?)</title", re.IGNORECASE | re.DOTALL)
_LONGEST_TITLE = 80


def is_text(start: bytes) -> bool:
    """Whether the first bytes are text, unlike those of all streams but playlists and parts with headers of their own."""
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # else a character is cut off
            return False
        text = start[: error.start].decode()
    return all(character.isprintable() or character in "\t\r\n\f\x1b\ufeff" for character in text)


def text_in_words(start: bytes) -> str:
    """What a text is, such as "a web page (Log in)", "JSON" or "nothing".

    Args:
        start: its first bytes.
    """
    if not start.strip():
        return "nothing"
    if _PAGE.match(start):
        title = _TITLE.search(start.decode(errors="replace"))
        name = printable(" ".join(html.unescape(title[1]).split())) if title else ""
        return f"a web page ({name[:_LONGEST_TITLE]})" if name else "a web page"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"ffconcat", b"[playlist]", b"v=0")):
        return "a list of other addresses"
    return "JSON" if text[:1] in (b"{", b"[") else "XML" if text.startswith(b"<?xml") else "text"
