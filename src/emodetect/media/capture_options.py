"""Options of OpenCV's built-in FFmpeg, which reads them from the environment."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""The environment variable; the user's options in it are kept."""


class _CaptureOptions:
    """Sets FFmpeg's options while a capture is opened.

    Args:
        options: options that override the user's.
        usually: options used if the user has set none.

    The variable applies to the whole process. Captures with the same options may be opened concurrently; others wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._active = "", ""
        self._before: str | None = None

    @contextlib.contextmanager
    def __call__(self, options: str, *, usually: str = "") -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._active == (options, usually))
            if not self._users:
                self._before, self._active = os.environ.get(OPTIONS_VARIABLE), (options, usually)
                os.environ[OPTIONS_VARIABLE] = "|".join(part for part in (self._before or usually, options) if part)
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                if not self._users:
                    if self._before is None:
                        del os.environ[OPTIONS_VARIABLE]
                    else:
                        os.environ[OPTIONS_VARIABLE] = self._before
                self._changed.notify_all()


capture_options = _CaptureOptions()
