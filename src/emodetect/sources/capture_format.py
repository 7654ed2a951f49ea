"""Size and frame rate, requested from a camera or stated for raw frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from emodetect.errors import UsageError
from emodetect.text.numbers import check_number

_MAX_SIDE = 100_000


class PictureSize(NamedTuple):
    """Width and height, pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> PictureSize:
        """Parse a size such as ``1280x720``.

        Raises:
            UsageError: the text is no valid size.
        """
        found = re.fullmatch(r"([1-9]\d{0,5}) ?[x*\u00d7,] ?([1-9]\d{0,5})", text.strip().lower(), re.ASCII)
        if found is None or max(map(int, found.groups())) > _MAX_SIDE:
            raise UsageError(f"{text!r} is no size; expected width and height, such as 1280x720", parameter="size")
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class CaptureFormat:
    """Size and frame rate of a source.

    Attributes:
        size: size requested from a camera, or of raw frames; None for the source's default.
        frames_per_second: frame rate requested from a camera, or for playing standard input; None for the source's default.

    Raises:
        UsageError: the rate is out of range.
    """

    size: PictureSize | None = None
    frames_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.frames_per_second is not None:
            check_number("fps", self.frames_per_second, 1, 1000)

    @property
    def is_given(self) -> bool:
        """Whether an attribute is set."""
        return self.size is not None or self.frames_per_second is not None


UNSTATED = CaptureFormat()
"""The source's defaults."""
