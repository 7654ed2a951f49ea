"""The window on the screen. `imshow` and `pollKey` belong on the main thread."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

import cv2
from typing_extensions import Self

from emodetect.display import display_problem, window_problem
from emodetect.errors import OutputError
from emodetect.quiet import quiet_native_output
from emodetect.types import Image


class Window:
    """A window that shows pictures and says which keys are pressed in it.

    Args:
        title: what stands in its title bar.

    Raises:
        OutputError: there is no display, or OpenCV was built without windows.
    """

    def __init__(self, title: str) -> None:
        check_display()
        self._title = title
        self._shown = False
        with quiet_native_output():
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)

    def show(self, image: Image) -> None:
        """Show uint8 (height, width, 3) BGR; the first picture sets the window's size."""
        if not self._shown:
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._shown = True
        cv2.imshow(self._title, image)

    def keys(self) -> Iterator[str]:
        """Handle what the user did; the characters of the keys pressed since the last call, those of others left out."""
        while (code := cv2.pollKey()) != -1:
            if code < 128:  # arrows and the like have larger ones, and their lowest bytes mean nothing
                yield chr(code)

    @property
    def is_open(self) -> bool:
        """Whether the user has not closed it."""
        try:
            return bool(cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1)
        except cv2.error:  # what Qt's window says once its last window is closed
            return False

    def close(self) -> None:
        """Close the window, if the user has not."""
        cv2.destroyAllWindows()
        cv2.pollKey()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_display() -> None:
    """See whether a window can be opened, before Qt finds out and aborts the interpreter.

    Raises:
        OutputError: OpenCV can open no window, or there is no display to draw on.
    """
    if problem := window_problem(cv2.getBuildInformation()):
        raise OutputError(f"{problem.what}: {problem.cure}; or use --no-window with --log or --record")
    if missing := display_problem():
        raise OutputError(f"{missing}; use --no-window with --log or --record, or run it in a desktop session")
