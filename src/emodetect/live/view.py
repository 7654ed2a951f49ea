"""How the live window looks at the moment."""

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

_log = logging.getLogger(__name__)

_NOTICE_SECONDS = 4.0
"""How long a message stays."""

_MIN_FACE_STEP = 1.25
_MIN_FACE_SHARES = 0.03, 0.9
"""Smallest and largest share of the picture's height."""
_MIN_FACE_PIXELS = 16.0, 2000.0

_SMOOTHING_STEP = 0.1
_MOST_SMOOTHING = 3.0


@dataclass(frozen=True)
class _Notice:
    """A message, and until when it stays, on the monotonic clock."""

    phrase: Phrase
    values: Mapping[str, object]
    until: float


@dataclass
class View:
    """What is shown, and how.

    Attributes:
        mirror: the picture as a mirror shows it.
        bars: a panel of scores beside each face.
        labels: emotion and confidence over each face.
        numbers: pictures a second and delay.
        strip: the last seconds of each face along the bottom.
        help: the keys.
        paused: the picture stands still.
        min_face: the smallest face that is looked for.
        smoothing: seconds over which scores are averaged.
    """

    mirror: bool = False
    bars: bool = True
    labels: bool = True
    numbers: bool = True
    strip: bool = False
    help: bool = False
    paused: bool = False
    min_face: MinFace = MinFace(0.1, relative=True)
    smoothing: float = 0.5
    _notices: dict[object, _Notice] = field(default_factory=dict, init=False)

    def obey(self, command: Command) -> None:
        """Change what this command changes of the view; others change nothing."""
        match command:
            case Command.PAUSE:
                self.paused = not self.paused
            case Command.MIRROR:
                self.mirror = not self.mirror
            case Command.BARS:
                self.bars = not self.bars
            case Command.LABELS:
                self.labels = not self.labels
            case Command.NUMBERS:
                self.numbers = not self.numbers
            case Command.STRIP:
                self.strip = not self.strip
            case Command.HELP:
                self.help = not self.help
            case Command.LARGER_FACES:
                self._scale_min_face(_MIN_FACE_STEP)
            case Command.SMALLER_FACES:
                self._scale_min_face(1 / _MIN_FACE_STEP)
            case Command.LESS_SMOOTHING:
                self._add_smoothing(-_SMOOTHING_STEP)
            case Command.MORE_SMOOTHING:
                self._add_smoothing(_SMOOTHING_STEP)

    def say(self, phrase: Phrase, about: str = "", **values: object) -> None:
        """Show a message for some seconds; it takes the place of the last one about the same.

        Args:
            phrase: the message.
            about: what it is about; itself if not given.
            **values: what stands for each ``{...}`` of the phrase.
        """
        about_what = about or (phrase, *values.values())
        others = {key: notice for key, notice in self._notices.items() if key != about_what}
        self._notices = {**others, about_what: _Notice(phrase, values, time.monotonic() + _NOTICE_SECONDS)}

    def complain(self, about: str, path: Path, error: OutputError) -> None:
        """Tell that a file cannot be written: in short in the window, and why in the log."""
        self.say(Phrase.CANNOT_SAVE, about, path=path.name)
        _log.warning("%s", error)

    def notices(self, style: Style) -> list[str]:
        """The messages in the style's language, while they stay; none while the help lies over them, which they wait for."""
        now = time.monotonic()
        if self.help:
            self._notices = {about: replace(notice, until=now + _NOTICE_SECONDS) for about, notice in self._notices.items()}
            return []
        self._notices = {about: notice for about, notice in self._notices.items() if now < notice.until}
        return [style.say(notice.phrase, **notice.values) for notice in self._notices.values()]

    def _scale_min_face(self, factor: float) -> None:
        least, most = _MIN_FACE_SHARES if self.min_face.relative else _MIN_FACE_PIXELS
        value = min(max(self.min_face.value * factor, least), most)
        self.min_face = replace(self.min_face, value=value)
        phrase = Phrase.SMALLEST_FACE_SHARE if self.min_face.relative else Phrase.SMALLEST_FACE_PIXELS
        self.say(phrase, "face", percent=round(100 * value), pixels=round(value))

    def _add_smoothing(self, seconds: float) -> None:
        self.smoothing = round(min(max(self.smoothing + seconds, 0.0), _MOST_SMOOTHING), 3)
        self.say(Phrase.SMOOTHING if self.smoothing else Phrase.NO_SMOOTHING, "smoothing", seconds=self.smoothing)
