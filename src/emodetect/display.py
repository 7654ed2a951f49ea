"""Whether windows can be opened: what OpenCV was built with, and a display that answers. Does not import OpenCV."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPENCV_CURE = (
    "pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless && "
    'pip install "opencv-python>=4.13,<5"'
)
"""Leaves the one wheel that can open windows: they all write the same files, and removing one breaks the others."""


def window_toolkit(build_information: str) -> str | None:
    """What OpenCV opens windows with (QT5, GTK, COCOA, WIN32UI), by its build information; None for a headless build."""
    found = re.search(r"^\s*GUI:\s*(\S+)", build_information, re.MULTILINE)
    return found.group(1) if found and found.group(1) != "NONE" else None


def display_problem() -> str | None:
    """Why no window can be shown here; None where one can. Only Linux can tell."""
    if not sys.platform.startswith("linux") or _display_answers():
        return None
    name = os.environ.get("DISPLAY")
    return f"the display {name} does not answer" if name else "there is no display (DISPLAY is not set)"


def screen_size() -> tuple[int, int] | None:
    """Width and height of the screen, pixels; of several beside each other all of them. None where it cannot be asked."""
    if sys.platform == "win32":
        metrics = ctypes.windll.user32.GetSystemMetrics
        return metrics(0), metrics(1)
    if not sys.platform.startswith("linux"):
        return None
    with _open_display() as (x11, display):
        if x11 is None or not display:
            return None
        number = x11.XDefaultScreen(display)
        return x11.XDisplayWidth(display, number), x11.XDisplayHeight(display, number)


def _display_answers() -> bool:
    if not os.environ.get("DISPLAY"):
        return False
    with _open_display() as (x11, display):
        return x11 is None or bool(display)  # without Xlib nothing can be asked; Qt will tell


@contextmanager
def _open_display() -> Iterator[tuple[ctypes.CDLL | None, ctypes.c_void_p]]:
    """Xlib and the X display that the environment names; None without Xlib, and a null pointer without a display."""
    try:
        x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    except OSError:
        yield None, ctypes.c_void_p()
        return
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    try:
        yield x11, display
    finally:
        if display:
            x11.XCloseDisplay(display)
