"""Errors of publishers that raise unexpected exceptions."""

from __future__ import annotations

from emodetect.errors import OutputError, first_line


def publisher_fault(name: str, error: Exception) -> OutputError:
    """Create the error of a failed publisher.

    Args:
        name: name of the publisher, without passwords.
        error: the exception.
    """
    return OutputError(f"the publisher {name} failed ({type(error).__name__}: {first_line(error)})", parameter="publish")
