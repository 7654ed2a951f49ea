"""Warnings that are given once for each process, however often a clip is opened."""

from __future__ import annotations

import functools
import logging

_log = logging.getLogger("emodetect")


@functools.lru_cache(maxsize=1000)
def warn_once(message: str) -> None:
    """Let the logger ``emodetect`` warn, unless it has said the same before."""
    _log.warning("%s", message)
