"""Static files of the page, and its texts in seven languages."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from emodetect.drawing.languages import UNCERTAIN, WORDS
from emodetect.drawing.palette import UNKNOWN_COLOR, color_of, ink_on
from emodetect.serve.page_texts import NATIVE_NAMES, PageText
from emodetect.types import EMOTIONS, Emotion

_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class PageFile:
    """A static file in memory.

    Args:
        content: its bytes.
        suffix: suffix that determines its content type, such as ".html".
    """

    def __init__(self, content: bytes, suffix: str) -> None:
        self._content, self._kind = content, f"{_KINDS[suffix]}; charset=utf-8"
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    def answer(self, request: Request) -> Response:
        """Respond to a request; without the content if the browser's cache is valid.

        Args:
            request: the request.
        """
        headers = {"ETag": self._tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=headers)
        return Response(self._content, media_type=self._kind, headers=headers)


def page_files() -> dict[str, PageFile]:
    """All files of the page by name."""
    folder = files("emodetect.serve") / "static"
    found = {}
    for entry in folder.iterdir():
        suffix = f".{entry.name.rpartition('.')[2]}"
        if suffix in _KINDS:
            found[entry.name] = PageFile(entry.read_bytes(), suffix)
    return found


def texts() -> PageFile:
    """Texts of the page, and names and colors of the emotions, as JSON."""
    languages = {
        language: {
            "name": NATIVE_NAMES[language],
            "emotions": {emotion.value: words[emotion.value] for emotion in EMOTIONS} | {UNCERTAIN: words[UNCERTAIN]},
            "page": {text.name.lower(): text.text(language) for text in PageText},
        }
        for language, words in WORDS.items()
    }
    colors = {emotion.value: _shades(emotion) for emotion in EMOTIONS} | {UNCERTAIN: _shades(None)}
    return PageFile(json.dumps({"languages": languages, "colors": colors}, ensure_ascii=False).encode(), ".json")


def _shades(emotion: Emotion | None) -> dict[str, str]:
    """Color of an emotion and of the letters on it, as CSS."""
    ground = UNKNOWN_COLOR if emotion is None else color_of(emotion)
    return {"ground": _css(ground), "ink": _css(ink_on(ground))}


def _css(color: tuple[int, int, int]) -> str:
    blue, green, red = color
    return f"#{red:02x}{green:02x}{blue:02x}"
