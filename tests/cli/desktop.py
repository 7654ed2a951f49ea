"""A real desktop without a screen: Xvfb shows windows, Openbox manages them, xdotool presses keys, ImageMagick takes pictures.

Without a window manager one window in three stays black: Qt misses the moment at which it may paint.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import Xlib.display
import Xlib.protocol.event
import Xlib.X

from emodetect.types import Image
from tests.cli.running import TIMEOUT


def wait_until(condition: Callable[[], object], what: str, *, every: float = 0.05) -> None:
    """Wait for something that must happen, looking for it every so many seconds."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(every)


@dataclass(frozen=True)
class Desktop:
    """An X display.

    Attributes:
        name: value for DISPLAY.
        server: the X server's process.
    """

    name: str
    server: subprocess.Popen[bytes]

    def screenshot(self, title: str) -> Image:
        """What a window shows on the screen, without its frame, uint8 (height, width, 3) BGR."""
        window = self.window(title)
        assert window is not None
        data = self._run("import", "-silent", "-window", window, "png:-").stdout
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        return np.asarray(picture, np.uint8)

    def window(self, title: str) -> str | None:
        """The id of the window of that title, if there is one."""
        found = self._run("xdotool", "search", "--onlyvisible", "--name", title, check=False).stdout.decode().split()
        return found[0] if found else None

    def press(self, title: str, key: str) -> None:
        """Press a key in a window, as a person would."""
        window = self.window(title)
        assert window is not None
        self._run("xdotool", "windowfocus", "--sync", window)
        self._run("xdotool", "key", key)

    def hold(self, title: str, key: str, seconds: float) -> None:
        """Hold a key down in a window for so long."""
        window = self.window(title)
        assert window is not None
        self._run("xdotool", "windowfocus", "--sync", window)
        self._run("xdotool", "keydown", key, "sleep", str(seconds), "keyup", key)

    def close(self, title: str) -> None:
        """Ask a window to close, as its close button does (xdotool learned that only in 2021)."""
        number = self.window(title)
        assert number is not None
        display = Xlib.display.Display(self.name)
        window = display.create_resource_object("window", int(number))
        wish = [display.intern_atom("WM_DELETE_WINDOW"), Xlib.X.CurrentTime, 0, 0, 0]
        window.send_event(
            Xlib.protocol.event.ClientMessage(window=window, client_type=display.intern_atom("WM_PROTOCOLS"), data=(32, wish))
        )
        display.sync()
        display.close()

    def kill(self) -> None:
        """End the display without warning, as a crash of the X server does."""
        self.server.kill()
        self.server.wait()

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "DISPLAY": self.name}
        return subprocess.run(command, env=environment, capture_output=True, check=check, timeout=60)


@contextmanager
def open_desktop() -> Iterator[Desktop]:
    """Start Xvfb on a free display; skips the test where the programs are not installed."""
    for program in ("Xvfb", "openbox", "xdotool", "import"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: xvfb, openbox, xdotool, imagemagick)")
    reading, writing = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(arguments, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        environment = {**os.environ, "DISPLAY": f":{number}"}
        with subprocess.Popen(["openbox"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as manager:
            try:
                yield Desktop(f":{number}", server)
            finally:
                manager.terminate()
                server.terminate()
