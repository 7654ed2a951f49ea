"""The window on the screen. `imshow` and `pollKey` belong on the main thread."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

import cv2
from typing_extensions import Self

from emodetect.errors import OutputError
from emodetect.live.keys import Command, command_of
from emodetect.system.display import display_problem, screen_size, window_problem
from emodetect.system.native_output import quiet_native_output
from emodetect.text.printable import one_line
from emodetect.types import Image

_USUAL_SCREEN = 1440, 900
"""Assumed width and height of a screen whose size is unknown, pixels."""

_SCREEN_SHARE = 0.85
"""Maximum initial share of the screen's width and height; title bar and desktop panels need the rest."""


class Window:
    """A window that shows images and reports pressed keys.

    Args:
        title: text of its title bar.
        fullscreen: fill the screen.

    Raises:
        OutputError: there is no display, or OpenCV was built without windows.
    """

    def __init__(self, title: str, *, fullscreen: bool = False) -> None:
        check_display()
        self._title = title
        self._is_full = False
        self._size: tuple[int, int] | None = None
        self._was_shown = False
        self._screen = screen_size() or _USUAL_SCREEN
        with quiet_native_output():
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        if fullscreen:
            self.toggle_fullscreen()

    def toggle_fullscreen(self) -> None:
        """Enter or leave full-screen mode."""
        self._is_full = not self._is_full
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN if self._is_full else cv2.WINDOW_NORMAL)
        self._size = None  # after full screen, the window gets the size of its image

    def show(self, image: Image) -> None:
        """Show an image, uint8 (height, width, 3) BGR.

        The first image, and each one of another size, sets the size of the window, within the screen. A window closed by the user
        stays closed.
        """
        if self._was_shown and not self.is_open:  # OpenCV would open another one
            return
        self._was_shown = True
        size = image.shape[1], image.shape[0]
        if size != self._size and not self._is_full:
            cv2.resizeWindow(self._title, *self.room_for(size))
            self._size = size
        cv2.imshow(self._title, image)

    def room_for(self, size: tuple[int, int]) -> tuple[int, int]:
        """Space for an image of this width and height, pixels: the initial size of the window, or the full screen.

        Draw on the image at this size, since Qt shrinks a larger one together with its letters.
        """
        if self._is_full:
            scale = min(limit / side for side, limit in zip(size, self._screen, strict=True))
            return max(1, round(scale * size[0])), max(1, round(scale * size[1]))
        return fitted(size, self._screen)

    def set_title(self, text: str) -> None:
        """Append a text to the title bar."""
        cv2.setWindowTitle(self._title, f"{self._title} - {one_line(text)}")

    def pressed_keys(self) -> Iterator[str]:
        """Handle window events, and yield the characters of the keys pressed since the last call; other keys are ignored."""
        while (code := cv2.pollKey()) != -1:
            # Arrow keys have larger codes with meaningless low bytes; é and the like have negative ones.
            if 0 <= code < 128:
                yield chr(code)

    @property
    def is_open(self) -> bool:
        """Whether the window is open, that is, not closed by the user."""
        try:
            return bool(cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1)
        except cv2.error:  # raised by Qt once its last window is closed
            return False

    def close(self) -> None:
        """Close the window, unless the user has closed it."""
        cv2.destroyAllWindows()
        cv2.pollKey()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def wants_to_quit(window: Window) -> bool:
    """Whether the user has closed a window that shows no frame yet, or has pressed a key to quit."""
    # In this order: the window is closed while its events are handled.
    return Command.QUIT in map(command_of, window.pressed_keys()) or not window.is_open


def fitted(size: tuple[int, int], screen: tuple[int, int]) -> tuple[int, int]:
    """Initial size of a window: the image's own, or the largest that fits the screen.

    Args:
        size: width and height of the image, pixels.
        screen: width and height of the screen, pixels.
    """
    scale = min(1.0, *(_SCREEN_SHARE * limit / side for side, limit in zip(size, screen, strict=True)))
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))


def check_display() -> None:
    """Check that a window can be opened, since Qt aborts the interpreter if it cannot.

    Raises:
        OutputError: OpenCV was built without windows, or there is no display.
    """
    if problem := window_problem(cv2.getBuildInformation()):
        raise OutputError(f"{problem.what}: {problem.cure}", hint="or use `no_window` with `log` or `record`")
    if missing := display_problem():
        raise OutputError(missing, hint="use `no_window` with `log` or `record`, or run it in a desktop session")
