"""A real desktop without a screen: Xvfb shows windows, Openbox manages them, and xdotool presses keys.

Without a window manager one window in three stays black: Qt misses the moment at which it may paint.

Every action waits until its window is there and has the keyboard. What ends a run is repeated until the run has ended.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import Xlib.display
import Xlib.error
import Xlib.protocol.event
import Xlib.X

from emodetect.types import Image
from tests.cli.running import TIMEOUT
from tests.waiting import wait_until

_BLANK_SECONDS = 5.0
"""Seconds after which a window that shows nothing is told to draw itself, again and again."""

_BETWEEN_SECONDS = 1.0
"""Seconds between two presses of the same key."""

_PATIENCE = 30.0
"""Seconds after which a window may show one color alone."""


@dataclass
class Desktop:
    """An X display.

    Attributes:
        name: value for DISPLAY.
        server: the X server's process.
        pixels: what its screen shows at any time, uint8 (height, width, 4) BGR and one channel without a meaning.
    """

    name: str
    server: subprocess.Popen[bytes]
    pixels: npt.NDArray[np.uint8]
    _pressed: dict[str, float] = field(default_factory=dict)

    def screenshot(self, title: str) -> Image:
        """What a window shows on the screen, without its frame, uint8 (height, width, 3) BGR."""
        pictures: list[Image] = []
        blank_since: float | None = None
        exposed = 0

        def is_drawn() -> bool:
            nonlocal blank_since, exposed
            pictures[:] = self._pictures(title)
            if not pictures or np.ptp(pictures[0]):
                return bool(pictures)
            blank_since = blank_since or time.monotonic()
            blank_for = time.monotonic() - blank_since
            if blank_for > _BLANK_SECONDS * (exposed + 1):
                exposed += 1
                self._expose()
            return blank_for > _PATIENCE

        wait_until(is_drawn, f"a picture of the window {title}")
        return pictures[0]

    def _pictures(self, title: str) -> Iterator[Image]:
        """The part of the screen where a window is, for each one of that title that is seen."""
        with self._connected() as display:
            for window in _seen(display, title):
                with suppress(Xlib.error.XError):  # it may close meanwhile
                    size = window.get_geometry()
                    place = window.translate_coords(display.screen().root, 0, 0)
                    left, top = -place.x, -place.y
                    picture = self.pixels[max(0, top) : top + size.height, max(0, left) : left + size.width, :3]
                    if picture.size:
                        yield np.ascontiguousarray(picture)

    def _expose(self) -> None:
        """Cover the screen for a moment, so that all windows are told to draw themselves.

        On a busy machine Qt may miss that a new window is shown, and then never draws it.
        """
        with self._connected() as display:
            screen = display.screen()
            cover = screen.root.create_window(
                0, 0, screen.width_in_pixels, screen.height_in_pixels, 0, screen.root_depth, override_redirect=True
            )
            cover.map()
            display.sync()
            cover.destroy()
            display.sync()

    def window(self, title: str) -> int | None:
        """The id of the window of that title, a regular expression, if there is one."""
        with self._connected() as display:
            return next((window.id for window in _seen(display, title)), None)

    @contextmanager
    def _connected(self) -> Iterator[Xlib.display.Display]:
        display = Xlib.display.Display(self.name)
        try:
            yield display
        finally:
            display.close()

    def press(self, title: str, key: str) -> None:
        """Press a key in a window, as a person would: one that is pressed again at once counts as held down."""
        self._focus(title)
        time.sleep(max(0.0, self._pressed.get(key, 0.0) + _BETWEEN_SECONDS - time.monotonic()))
        self._pressed[key] = time.monotonic()
        self._run("xdotool", "key", key)

    def hold(self, title: str, key: str, seconds: float) -> None:
        """Hold a key down in a window for so long."""
        self._focus(title)
        self._run("xdotool", "keydown", key, "sleep", str(seconds), "keyup", key)

    def quit(self, title: str, process: subprocess.Popen[str], key: str = "q") -> None:
        """Press a key that ends a run, until it has ended."""
        _repeat_until_ended(process, partial(self._press_if_there, title, key))

    def close(self, title: str, process: subprocess.Popen[str]) -> None:
        """Ask a window to close, as its close button does, until its run has ended."""
        _repeat_until_ended(process, partial(self._ask_to_close, title))

    def _press_if_there(self, title: str, key: str) -> None:
        window = self.window(title)
        if window and self._has_focus(window):
            self._run("xdotool", "key", key)

    def _ask_to_close(self, title: str) -> None:
        """Send what a window manager sends for the close button (xdotool learned that only in 2021)."""
        with self._connected() as display:
            for window in _seen(display, title):
                wish = [display.intern_atom("WM_DELETE_WINDOW"), Xlib.X.CurrentTime, 0, 0, 0]
                protocols = display.intern_atom("WM_PROTOCOLS")
                window.send_event(
                    Xlib.protocol.event.ClientMessage(window=window, client_type=protocols, data=(32, wish)),
                    onerror=Xlib.error.CatchError(Xlib.error.BadWindow),
                )
            display.sync()

    def _focus(self, title: str) -> None:
        """Wait for a window that has the keyboard."""

        def is_focused() -> bool:
            window = self.window(title)
            return window is not None and self._has_focus(window)

        wait_until(is_focused, f"the window {title} with the keyboard")

    def _has_focus(self, window: int) -> bool:
        """Whether a window has the keyboard, for which this asks first."""
        with self._connected() as display:
            gone = Xlib.error.CatchError(Xlib.error.BadWindow, Xlib.error.BadMatch)
            display.create_resource_object("window", window).set_input_focus(
                Xlib.X.RevertToParent, Xlib.X.CurrentTime, onerror=gone
            )
            return getattr(display.get_input_focus().focus, "id", None) == window

    def kill(self) -> None:
        """End the display without warning, as a crash of the X server does."""
        self.server.kill()
        self.server.wait()

    def _run(self, *command: str) -> None:
        subprocess.run(command, env={**os.environ, "DISPLAY": self.name}, capture_output=True, check=True, timeout=TIMEOUT)


def _seen(display: Xlib.display.Display, title: str) -> Iterator[Any]:
    """The windows of that title, a regular expression, that are on the screen."""
    clients = display.screen().root.get_full_property(display.intern_atom("_NET_CLIENT_LIST"), Xlib.X.AnyPropertyType)
    for number in clients.value if clients else ():
        window = display.create_resource_object("window", number)
        with suppress(Xlib.error.XError):  # it may close meanwhile
            name = window.get_full_text_property(display.intern_atom("_NET_WM_NAME")) or window.get_wm_name() or ""
            if re.search(title, name) and window.get_attributes().map_state == Xlib.X.IsViewable:
                yield window


def _repeat_until_ended(process: subprocess.Popen[str], ask: Callable[[], None]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None:
        assert time.monotonic() < deadline, "it goes on"
        ask()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


def _has_manager(name: str) -> bool:
    """Whether a window manager has taken over the display of that name."""
    display = Xlib.display.Display(name)
    try:
        sign = display.intern_atom("_NET_SUPPORTING_WM_CHECK")
        return display.screen().root.get_full_property(sign, Xlib.X.AnyPropertyType) is not None
    finally:
        display.close()


def _screen(file: Path) -> npt.NDArray[np.uint8]:
    """The pixels of a screen, which Xvfb keeps in a file as xwd writes it; they follow the screen."""
    header = np.fromfile(file, ">u4", 25)
    size, width, height, row, colors = (int(header[place]) for place in (0, 4, 5, 12, 19))
    rows = np.memmap(file, np.uint8, "r", size + 12 * colors, (height, row))
    return rows.reshape(height, row // 4, 4)[:, :width]


@contextmanager
def open_desktop() -> Iterator[Desktop]:
    """Start Xvfb on a free display; skips the test where the programs are not installed."""
    for program in ("Xvfb", "openbox", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: xvfb, openbox, xdotool)")
    reading, writing = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24", "-nolisten", "tcp", "-noreset"]
    with (
        TemporaryDirectory() as memory,
        subprocess.Popen([*arguments, "-fbdir", memory], pass_fds=[writing], stderr=subprocess.DEVNULL) as server,
    ):
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        environment = {**os.environ, "DISPLAY": f":{number}"}
        with subprocess.Popen(["openbox"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as manager:
            try:
                # A window that is there before it is taken away for a moment, and loses the keyboard.
                wait_until(partial(_has_manager, f":{number}"), "the window manager")
                yield Desktop(f":{number}", server, _screen(Path(memory, "Xvfb_screen0")))
            finally:
                manager.terminate()
                server.terminate()
