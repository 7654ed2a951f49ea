"""What is assumed of an input that does not say it: warnings, each once for each process, however often a clip is opened."""

from __future__ import annotations

import functools
import logging

ASSUMPTIONS = "emodetect.assumptions"
"""The logger of what is assumed; quiet commands hear nothing of it."""


@functools.lru_cache(maxsize=1000)
def warn_once(message: str) -> None:
    """Let the logger `ASSUMPTIONS` warn, unless it has said the same before."""
    logging.getLogger(ASSUMPTIONS).warning("%s", message)
