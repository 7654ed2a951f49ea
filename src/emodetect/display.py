"""Whether windows can be opened: what OpenCV was built with, and a display that answers. Does not import OpenCV."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys

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


def _display_answers() -> bool:
    if not os.environ.get("DISPLAY"):
        return False
    library = ctypes.util.find_library("X11") or "libX11.so.6"
    try:
        x11 = ctypes.CDLL(library)
    except OSError:
        return True  # without Xlib nothing can be asked; Qt will tell
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(None)
    if not display:
        return False
    x11.XCloseDisplay(ctypes.c_void_p(display))
    return True
