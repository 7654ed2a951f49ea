"""Messages of a run in progress."""

from __future__ import annotations

from rich.console import Console

from emodetect.text.printable import printable, without_credentials


def print_plain(console: Console, text: str) -> None:
    """Print plain text, wrapped between words on a terminal, unchanged elsewhere.

    Args:
        console: console to print on.
        text: one or several lines.
    """
    text = "\n".join(printable(without_credentials(line)) for line in text.split("\n"))
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
