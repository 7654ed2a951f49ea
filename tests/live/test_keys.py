from __future__ import annotations

import pytest

from emodetect.live.keys import DETECTION, ESCAPE, KEYS, Command, Keyboard, command_of


def test_no_key_means_two_things() -> None:
    characters = [character for characters, _ in KEYS.values() for character in characters]
    assert len(set(characters)) == len(characters)
    assert set(KEYS) == set(Command)


@pytest.mark.parametrize(
    ("character", "command"),
    [
        ("q", Command.QUIT), ("\x1b", Command.QUIT), (" ", Command.PAUSE), ("s", Command.SNAPSHOT), ("r", Command.RECORD),
        ("m", Command.MIRROR), ("b", Command.BARS), ("l", Command.LABELS), ("n", Command.NUMBERS), ("t", Command.STRIP),
        ("f", Command.FULLSCREEN),
        ("+", Command.LARGER_FACES), ("-", Command.SMALLER_FACES), ("[", Command.LESS_SMOOTHING), ("]", Command.MORE_SMOOTHING),
        ("\t", Command.NEXT_BACKEND), ("d", Command.NEXT_DETECTOR), ("?", Command.HELP), ("h", Command.HELP), ("x", None),
    ],
)  # fmt: skip
def test_keys(character: str, command: Command | None) -> None:
    assert command_of(character) is command


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time at which keys are pressed, seconds, to be changed."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_key_that_is_held_down_gives_its_command_once(clock: list[float]) -> None:
    keyboard = Keyboard()
    given = []
    for _ in range(30):  # a desktop repeats a key some 25 times per second
        given.append(keyboard.command("s"))
        clock[0] += 0.04
    assert given == [Command.SNAPSHOT, *[None] * 29]
    clock[0] += 0.2
    assert keyboard.command("s") is Command.SNAPSHOT


def test_a_key_that_is_held_down_while_the_program_is_busy_gives_its_command_once(clock: list[float]) -> None:
    keyboard = Keyboard()
    given = []
    for _ in range(5):
        keyboard.next_reading()
        given.append(keyboard.command("s"))
        clock[0] += 0.5
    assert given == [Command.SNAPSHOT, *[None] * 4]
    keyboard.next_reading()  # it was let go
    keyboard.next_reading()
    assert keyboard.command("s") is Command.SNAPSHOT


def test_other_keys_are_obeyed_while_one_is_held_down(clock: list[float]) -> None:
    keyboard = Keyboard()
    assert [keyboard.command(key) for key in "sbsq"] == [Command.SNAPSHOT, Command.BARS, None, Command.QUIT]


@pytest.mark.parametrize("key", ["+", "-", "[", "]"])
def test_a_number_changes_while_its_key_is_held_down(clock: list[float], key: str) -> None:
    keyboard = Keyboard()
    assert {keyboard.command(key) for _ in range(5)} == {command_of(key)}


def test_escape_closes_the_help_before_it_quits(clock: list[float]) -> None:
    keyboard = Keyboard()
    assert keyboard.command(ESCAPE, help_is_open=True) is Command.HELP
    assert keyboard.command(ESCAPE) is None, "the same press"
    clock[0] += 0.2
    assert keyboard.command(ESCAPE) is Command.QUIT
    assert keyboard.command("q", help_is_open=True) is Command.QUIT


def test_commands_without_a_meaning_are_not_given(clock: list[float]) -> None:
    keyboard = Keyboard(disabled=DETECTION)
    assert [keyboard.command(key) for key in "+-=_x["] == [*[None] * 5, Command.LESS_SMOOTHING]
