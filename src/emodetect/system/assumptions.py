"""Warnings about assumptions, each logged once per process, however often a clip is opened."""

from __future__ import annotations

import functools
import logging

ASSUMPTIONS = "emodetect.assumptions"
"""The logger of these warnings; quiet commands silence it."""


@functools.lru_cache(maxsize=1000)
def warn_once(message: str) -> None:
    """Log a warning to `ASSUMPTIONS`, unless the same one was logged before."""
    logging.getLogger(ASSUMPTIONS).warning("%s", message)
