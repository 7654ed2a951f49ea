"""Whether windows can be opened: what OpenCV was built with, and a display that answers. Does not import OpenCV."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from emodetect.cures import OPENCV_CURE


class Problem(NamedTuple):
    """Why no window can be opened, and what helps."""

    what: str
    cure: str


def window_toolkit(build_information: str) -> str | None:
    """What OpenCV opens windows with (QT5, GTK, COCOA, WIN32UI), by its build information; None for a headless build."""
    found = re.search(r"^\s*GUI:\s*(\S+)", build_information, re.MULTILINE)
    return found.group(1) if found and found.group(1) != "NONE" else None


def window_problem(build_information: str) -> Problem | None:
    """Why OpenCV, which was imported, can open no window on any display; None where it can.

    Qt would abort the process where it finds no plugin for the platform that it is asked for.
    """
    toolkit = window_toolkit(build_information)
    if toolkit is None:
        return Problem("the installed OpenCV cannot open windows (a headless build has replaced it)", OPENCV_CURE)
    folder = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH")  # set by OpenCV's wheel, which brings Qt along
    if not toolkit.startswith("QT") or folder is None:
        return None
    there = sorted(path.name.removeprefix("libq").partition(".")[0] for path in Path(folder, "platforms").glob("libq*.so"))
    if not there:
        return Problem(f"OpenCV cannot open windows (there is no plugin of Qt in {folder})", OPENCV_CURE)
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    # Alternatives stand after semicolons, and each may have options after a colon.
    if wanted and not any(part.partition(":")[0] in there for part in wanted.split(";")):
        what = f"OpenCV cannot open windows with QT_QPA_PLATFORM={wanted} (it has {', '.join(there)})"
        return Problem(what, "unset QT_QPA_PLATFORM")
    return None


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
