"""What is said of publishers that raise something unexpected."""

from __future__ import annotations

from emodetect.errors import OutputError, first_line


def publisher_fault(name: str, error: Exception) -> OutputError:
    """The error of a publisher that has failed.

    Args:
        name: what the publisher is called, without passwords.
        error: what it has raised.
    """
    return OutputError(f"the publisher {name} failed ({type(error).__name__}: {first_line(error)})", parameter="publish")
