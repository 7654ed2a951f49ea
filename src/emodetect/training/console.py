"""What a run tells while it goes on."""

from __future__ import annotations

from rich.console import Console


def tell(console: Console, text: str) -> None:
    """Print plain text: folded between words on a terminal, line by line as it is elsewhere."""
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
