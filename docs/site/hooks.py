"""Pages of the site that are made of other files of the repository, and links that lead out of the folder of the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]

MADE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "reporting.md": "SECURITY.md",
}
"""Pages that stand elsewhere in the repository."""

PAGES = {
    "reference/commands.md": "# Command reference\n\n::: mkdocs-click\n    :module: emodetect.cli.group\n    :command: cli\n"
    "    :prog_name: emodetect\n    :depth: 1\n    :style: plain\n",
    "reference/python.md": "# Python reference\n\n::: emodetect\n",
}
"""Pages that are made of the program itself, so that they cannot differ from it."""

_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Add the made pages."""
    for page, source in MADE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for page, text in PAGES.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Lead links of the repository to pages of the site; what is no page keeps its text alone."""
    folder = ROOT if page.file.src_uri in MADE else ROOT / "docs"
    pages = {(ROOT / source).resolve(): page for page, source in MADE.items()}

    def moved(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if re.match(r"[a-z]+:", target):
            return link[0]
        path = (folder / target).resolve()
        place = pages.get(path) or (path.relative_to(ROOT / "docs").as_posix() if path.is_relative_to(ROOT / "docs") else "")
        return f"[{text}]({place}{anchor})" if files.get_file_from_path(place) else text

    return _LINK.sub(moved, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Remove the backslash before a vertical bar in code, which the tables of GitHub need, and Python's Markdown shows."""
    return re.sub(r"<code>[^<]*</code>", lambda code: code[0].replace("\\|", "|"), html)
