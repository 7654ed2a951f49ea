"""Silencing the output of native libraries: OpenCV, FFmpeg, TensorFlow and DeepFace."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

DEBUG_VARIABLE = "EMODETECT_DEBUG"
"""Environment variable that enables tracebacks and the output of libraries; child processes inherit it."""

_QUIET = {
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "QT_LOGGING_RULES": "*=false",
    "ORT_LOGGING_LEVEL": "4",
}

_OFF = {"", "0", "false", "no", "off"}

_lock = threading.Lock()
_depth = 0
_saved: tuple[int, int] | None = None


def is_debugging() -> bool:
    """Whether native output and tracebacks are enabled."""
    return os.environ.get(DEBUG_VARIABLE, "").lower() not in _OFF


def set_debugging(wanted: bool) -> None:
    """Enable or disable native output and tracebacks, for this process and its children."""
    if wanted:
        os.environ[DEBUG_VARIABLE] = "1"
    else:
        os.environ.pop(DEBUG_VARIABLE, None)


def silence_libraries() -> None:
    """Set the environment variables that silence libraries; call before they are imported."""
    if not is_debugging():
        for name, value in _QUIET.items():
            if name.startswith("OPENCV") or name not in os.environ:  # OpenCV's logs go to standard output
                os.environ[name] = value
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of folders that it cannot create


@contextlib.contextmanager
def quiet_native_output() -> Iterator[None]:
    """Discard what native code writes to file descriptors 1 and 2, unless debugging.

    Python's `sys.stderr` and `sys.stdout` are silent as well, in every thread: use it only around calls that load or open
    something.
    """
    global _depth, _saved
    if is_debugging():
        yield
        return
    with _lock:
        if _depth == 0:
            sys.stdout.flush()
            sys.stderr.flush()
            _saved = os.dup(1), os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _saved is not None:
                sys.stdout.flush()
                sys.stderr.flush()
                for number, copy in enumerate(_saved, start=1):
                    os.dup2(copy, number)
                    os.close(copy)
                _saved = None


def write_unsilenced(line: str) -> bool:
    """Write a line to standard error while another thread silences it; returns False, without writing, if none does."""
    with _lock:
        if _saved is None:
            return False
        with contextlib.suppress(OSError):
            os.write(_saved[1], f"{line}\n".encode(errors="backslashreplace"))
        return True
