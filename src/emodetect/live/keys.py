"""The keys of the live window, and the commands that they give."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from enum import Enum

from emodetect.drawing.phrases import Phrase

_REPEAT_SECONDS = 0.15
"""A key that comes again within this time is held down."""


class Command(Enum):
    """What a key asks for; the value is what the help says of it."""

    QUIT = Phrase.QUIT
    PAUSE = Phrase.PAUSE
    SNAPSHOT = Phrase.SNAPSHOT
    RECORD = Phrase.RECORD
    MIRROR = Phrase.MIRROR
    BARS = Phrase.BARS
    LABELS = Phrase.LABELS
    NUMBERS = Phrase.NUMBERS
    STRIP = Phrase.STRIP
    LARGER_FACES = Phrase.LARGER_FACES
    SMALLER_FACES = Phrase.SMALLER_FACES
    LESS_SMOOTHING = Phrase.LESS_SMOOTHING
    MORE_SMOOTHING = Phrase.MORE_SMOOTHING
    NEXT_BACKEND = Phrase.NEXT_BACKEND
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
    Command.NUMBERS: ("fF", "f"),
    Command.STRIP: ("tT", "t"),
    Command.LARGER_FACES: ("+=", "+"),
    Command.SMALLER_FACES: ("-_", "-"),
    Command.LESS_SMOOTHING: ("[", "["),
    Command.MORE_SMOOTHING: ("]", "]"),
    Command.NEXT_BACKEND: ("\t", "tab"),
    Command.HELP: ("?hH", "? h"),
}
"""The characters of each command's keys, and how the help writes them."""

_BY_CHARACTER = {character: command for command, (characters, _) in KEYS.items() for character in characters}


def command_of(character: str) -> Command | None:
    """What a key asks for; None for a key without a meaning."""
    return _BY_CHARACTER.get(character)


FACE_SIZES = {Command.LARGER_FACES, Command.SMALLER_FACES}
"""Commands that change the smallest face that is looked for."""

_STEPWISE = FACE_SIZES | {Command.LESS_SMOOTHING, Command.MORE_SMOOTHING}
"""Commands that change a number step by step, which a key that is held down repeats."""


class Keyboard:
    """Turns the keys that are pressed into commands; a key that is held down gives most commands only once.

    Args:
        disabled: commands that have no meaning in this session.
    """

    def __init__(self, disabled: Collection[Command] = ()) -> None:
        self._disabled = disabled
        self._pressed: dict[str, float] = {}

    def command(self, character: str, *, help_is_open: bool = False) -> Command | None:
        """The command that a key gives; None for none.

        Args:
            character: the key's; it counts as pressed now.
            help_is_open: whether the help is shown, which Escape closes before it quits.
        """
        now = time.monotonic()
        before, self._pressed[character] = self._pressed.get(character, -math.inf), now
        command = command_of(character)
        if command in self._disabled or (now - before < _REPEAT_SECONDS and command not in _STEPWISE):
            return None
        return Command.HELP if character == ESCAPE and help_is_open else command
