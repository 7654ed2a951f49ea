"""Whether windows can be opened, by OpenCV's build and the display. Does not import OpenCV."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from emodetect.system.install_hints import OPENCV_CURE


class Problem(NamedTuple):
    """Why no window can be opened, and what to do."""

    what: str
    cure: str


def window_toolkit(build_information: str) -> str | None:
    """OpenCV's window toolkit (QT5, GTK, COCOA, WIN32UI), from its build information; None for a headless build."""
    found = re.search(r"^\s*GUI:\s*(\S+)", build_information, re.MULTILINE)
    return found.group(1) if found and found.group(1) != "NONE" else None


def window_problem(build_information: str) -> Problem | None:
    """Why the imported OpenCV cannot open a window on any display; None if it can.

    Qt would abort the process if it found no plugin for the requested platform.
    """
    toolkit = window_toolkit(build_information)
    if toolkit is None:
        return Problem("the installed OpenCV cannot open windows (a headless build has replaced it)", OPENCV_CURE)
    folder = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH")  # set by OpenCV's wheel, which contains Qt
    if not toolkit.startswith("QT") or folder is None:
        return None
    there = sorted(path.name.removeprefix("libq").partition(".")[0] for path in Path(folder, "platforms").glob("libq*.so"))
    if not there:
        return Problem(f"OpenCV cannot open windows (there is no plugin of Qt in {folder})", OPENCV_CURE)
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    # Alternatives are separated by semicolons, and each may have options after a colon.
    if wanted and not any(part.partition(":")[0] in there for part in wanted.split(";")):
        what = f"OpenCV cannot open windows with QT_QPA_PLATFORM={wanted} (it has {', '.join(there)})"
        return Problem(what, "unset QT_QPA_PLATFORM")
    return None


def display_problem() -> str | None:
    """Why no window can be shown here; None if one can. Checked on Linux only."""
    if not sys.platform.startswith("linux") or _display_answers():
        return None
    name = os.environ.get("DISPLAY")
    return f"the display {name} does not answer" if name else "there is no display (DISPLAY is not set)"


def screen_size() -> tuple[int, int] | None:
    """Width and height of the screen, or of several adjacent ones together, pixels; None if unknown."""
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
        return x11 is None or bool(display)  # without Xlib it cannot be checked; Qt will report it


@contextmanager
def _open_display() -> Iterator[tuple[ctypes.CDLL | None, ctypes.c_void_p]]:
    """Xlib and the X display named by the environment; None without Xlib, and a null pointer without a display."""
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
