"""Keyboard commands of the live window."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from enum import Enum

from emodetect.drawing.phrases import Phrase

_REPEAT_SECONDS = 0.15
"""Maximum interval between two events of a key that is held down."""


class Command(Enum):
    """A command given by a key. The value is its description in the help."""

    QUIT = Phrase.QUIT
    PAUSE = Phrase.PAUSE
    SNAPSHOT = Phrase.SNAPSHOT
    RECORD = Phrase.RECORD
    MIRROR = Phrase.MIRROR
    BARS = Phrase.BARS
    LABELS = Phrase.LABELS
    NUMBERS = Phrase.NUMBERS
    FULLSCREEN = Phrase.FULLSCREEN
    STRIP = Phrase.STRIP
    LARGER_FACES = Phrase.LARGER_FACES
    SMALLER_FACES = Phrase.SMALLER_FACES
    LESS_SMOOTHING = Phrase.LESS_SMOOTHING
    MORE_SMOOTHING = Phrase.MORE_SMOOTHING
    NEXT_BACKEND = Phrase.NEXT_BACKEND
    NEXT_DETECTOR = Phrase.NEXT_DETECTOR
    HELP = Phrase.HELP


ESCAPE = "\x1b"

KEYS: dict[Command, tuple[str, str | Phrase]] = {
    Command.QUIT: (f"qQ{ESCAPE}", "q Esc"),
    Command.PAUSE: (" ", Phrase.SPACE_KEY),
    Command.SNAPSHOT: ("sS", "s"),
    Command.RECORD: ("rR", "r"),
    Command.MIRROR: ("mM", "m"),
    Command.BARS: ("bB", "b"),
    Command.LABELS: ("lL", "l"),
    Command.NUMBERS: ("nN", "n"),
    Command.FULLSCREEN: ("fF", "f"),
    Command.STRIP: ("tT", "t"),
    Command.LARGER_FACES: ("+=", "+"),
    Command.SMALLER_FACES: ("-_", "-"),
    Command.LESS_SMOOTHING: ("[", "["),
    Command.MORE_SMOOTHING: ("]", "]"),
    Command.NEXT_BACKEND: ("\t", "tab"),
    Command.NEXT_DETECTOR: ("dD", "d"),
    Command.HELP: ("?hH", "? h"),
}
"""Characters of each command, and the notation of its keys in the help."""

_BY_CHARACTER = {character: command for command, (characters, _) in KEYS.items() for character in characters}


def command_of(character: str) -> Command | None:
    """Command of a key; None for a key without one."""
    return _BY_CHARACTER.get(character)


_FACE_SIZES = {Command.LARGER_FACES, Command.SMALLER_FACES}

DETECTION = _FACE_SIZES | {Command.NEXT_DETECTOR}
"""Commands that change face detection."""

_STEPWISE = _FACE_SIZES | {Command.LESS_SMOOTHING, Command.MORE_SMOOTHING}
"""Commands that change a number step by step. A key that is held down repeats them."""


class Keyboard:
    """Translates pressed keys into commands. A key that is held down gives its command once, unless it changes a number.

    Keys are read at intervals, one `next_reading` each. While the program is busy, an interval may be longer than the time
    between two events of a key that is held down.

    Args:
        disabled: commands that are ignored.
    """

    def __init__(self, disabled: Collection[Command] = ()) -> None:
        self._disabled = disabled
        self._pressed: dict[str, tuple[int, float]] = {}
        self._reading = 0

    def next_reading(self) -> None:
        """Begin the next reading of the pressed keys."""
        self._reading += 1

    def command(self, character: str, *, help_is_open: bool = False) -> Command | None:
        """Translate a key that is pressed now; returns None if there is nothing to do.

        Args:
            character: the key's character.
            help_is_open: whether the help is shown. Escape then closes the help instead of quitting.
        """
        now = time.monotonic()
        reading, before = self._pressed.get(character, (-math.inf, -math.inf))
        self._pressed[character] = self._reading, now
        command = command_of(character)
        is_held_down = now - before < _REPEAT_SECONDS or reading == self._reading - 1
        if command in self._disabled or (is_held_down and command not in _STEPWISE):
            return None
        return Command.HELP if character == ESCAPE and help_is_open else command
