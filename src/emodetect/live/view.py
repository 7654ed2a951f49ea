"""State of the live window: its settings and its messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.errors import OutputError
from emodetect.faces.detector import MinFace
from emodetect.live.keys import Command
from emodetect.settings.pipeline import LIVE

_log = logging.getLogger(__name__)

_NOTICE_SECONDS = 4.0
"""Seconds for which a message is shown."""

_MIN_FACE_STEP = 1.25
_MIN_FACE_SHARES = 0.03, 0.9
"""Minimum and maximum, as a fraction of the frame's height."""
_MIN_FACE_PIXELS = 16.0, 2000.0

_SMOOTHING_STEP = 0.1
_MAX_SMOOTHING = 3.0

_SWITCHES = {
    Command.PAUSE: "paused", Command.MIRROR: "mirror", Command.BARS: "bars", Command.LABELS: "labels",
    Command.NUMBERS: "numbers", Command.STRIP: "strip", Command.HELP: "help",
}  # fmt: skip
"""The attribute of `View` that each command switches on and off."""


@dataclass(frozen=True)
class _Notice:
    """A message, its values, and the time on the monotonic clock until which it is shown."""

    phrase: Phrase
    values: Mapping[str, object]
    until: float


@dataclass
class View:
    """State of the live window.

    Attributes:
        mirror: flip the image horizontally.
        bars: show a panel of scores beside each face.
        labels: show emotion and confidence at each face.
        numbers: show frame rate, delay and backend.
        strip: show the last seconds of each face along the bottom.
        help: show the keys.
        paused: freeze the image.
        min_face: minimum face size.
        smoothing: time constant of the exponential moving average of scores, seconds.
    """

    mirror: bool = False
    bars: bool = True
    labels: bool = True
    numbers: bool = True
    strip: bool = False
    help: bool = False
    paused: bool = False
    min_face: MinFace = LIVE.detector.min_face
    smoothing: float = LIVE.smoothing
    _notices: dict[object, _Notice] = field(default_factory=dict, init=False)

    def apply(self, command: Command) -> None:
        """Apply a command to the view; commands of other components are ignored."""
        if switch := _SWITCHES.get(command):
            setattr(self, switch, not getattr(self, switch))
        elif command is Command.LARGER_FACES:
            self._scale_min_face(_MIN_FACE_STEP)
        elif command is Command.SMALLER_FACES:
            self._scale_min_face(1 / _MIN_FACE_STEP)
        elif command is Command.LESS_SMOOTHING:
            self._add_smoothing(-_SMOOTHING_STEP)
        elif command is Command.MORE_SMOOTHING:
            self._add_smoothing(_SMOOTHING_STEP)

    @property
    def finds_smallest_faces(self) -> bool:
        """Whether the minimum face size cannot be reduced further."""
        return self.min_face.value <= self._min_face_limits[0]

    @property
    def _min_face_limits(self) -> tuple[float, float]:
        return _MIN_FACE_SHARES if self.min_face.relative else _MIN_FACE_PIXELS

    def notify(self, phrase: Phrase, about: str = "", **values: object) -> None:
        """Show a message for some seconds. It replaces the previous message on the same subject.

        Args:
            phrase: the message.
            about: its subject; by default the message itself.
            **values: the value of each ``{...}`` in the phrase.
        """
        about_what = about or (phrase, *values.values())
        others = {key: notice for key, notice in self._notices.items() if key != about_what}
        self._notices = {**others, about_what: _Notice(phrase, values, time.monotonic() + _NOTICE_SECONDS)}

    def report_error(self, about: str, path: Path, error: OutputError) -> None:
        """Report that a file cannot be written: briefly in the window, with the reason in the log.

        Args:
            about: the subject, as for `notify`.
            path: the file.
            error: the reason.
        """
        self.notify(Phrase.CANNOT_SAVE, about, path=path.name)
        _log.warning("%s", error)

    def notices(self, style: Style) -> list[str]:
        """Current messages in the style's language; empty while the help covers them, which stops their time."""
        now = time.monotonic()
        if self.help:
            self._notices = {about: replace(notice, until=now + _NOTICE_SECONDS) for about, notice in self._notices.items()}
            return []
        self._notices = {about: notice for about, notice in self._notices.items() if now < notice.until}
        return [style.format(notice.phrase, **notice.values) for notice in self._notices.values()]

    def _scale_min_face(self, factor: float) -> None:
        min_value, max_value = self._min_face_limits
        value = min(max(self.min_face.value * factor, min_value), max_value)
        self.min_face = replace(self.min_face, value=value)
        phrase = Phrase.SMALLEST_FACE_SHARE if self.min_face.relative else Phrase.SMALLEST_FACE_PIXELS
        self.notify(phrase, "face", percent=round(100 * value), pixels=round(value))

    def _add_smoothing(self, seconds: float) -> None:
        self.smoothing = round(min(max(self.smoothing + seconds, 0.0), _MAX_SMOOTHING), 3)
        self.notify(Phrase.SMOOTHING if self.smoothing else Phrase.NO_SMOOTHING, "smoothing", seconds=self.smoothing)
