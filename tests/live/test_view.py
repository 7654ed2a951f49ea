from __future__ import annotations

import pytest

from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.faces.detector import MinFace
from emodetect.live.keys import Command
from emodetect.live.view import View

ENGLISH = Style()


@pytest.mark.parametrize(
    ("command", "attribute"),
    [
        (Command.PAUSE, "paused"), (Command.MIRROR, "mirror"), (Command.BARS, "bars"), (Command.LABELS, "labels"),
        (Command.NUMBERS, "numbers"), (Command.STRIP, "strip"), (Command.HELP, "help"),
    ],
)  # fmt: skip
def test_a_switch_changes_one_thing_and_changes_it_back(command: Command, attribute: str) -> None:
    view = View()
    before = vars(view).copy()
    view.apply(command)
    assert vars(view) == before | {attribute: not before[attribute]}
    view.apply(command)
    assert vars(view) == before


@pytest.mark.parametrize(("start", "most", "least"), [(MinFace(0.1, True), 0.9, 0.03), (MinFace(64, False), 2000, 16)])
def test_the_smallest_face_grows_and_shrinks_within_bounds(start: MinFace, most: float, least: float) -> None:
    view = View(min_face=start)
    view.apply(Command.LARGER_FACES)
    assert view.min_face.value == pytest.approx(1.25 * start.value)
    assert view.min_face.relative is start.relative
    for _ in range(40):
        view.apply(Command.LARGER_FACES)
    assert view.min_face.value == most
    for _ in range(40):
        view.apply(Command.SMALLER_FACES)
    assert view.min_face.value == least
    assert len(view.notices(ENGLISH)) == 1
    assert ("%" in view.notices(ENGLISH)[0]) is start.relative


def test_smoothing_goes_down_to_off() -> None:
    view = View(smoothing=0.25)
    view.apply(Command.MORE_SMOOTHING)
    assert view.smoothing == 0.35
    for _ in range(5):
        view.apply(Command.LESS_SMOOTHING)
    assert view.smoothing == 0
    assert view.notices(ENGLISH) == ["smoothing: off"]


def test_a_message_goes_after_some_seconds_and_makes_room_for_news_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    view = View()
    view.notify(Phrase.RECORDING, "recording", path="a")
    now = 103.0
    view.notify(Phrase.SAVED, path="b")
    assert view.notices(ENGLISH) == ["recording a", "saved b"]
    now = 103.9
    view.notify(Phrase.RECORDED, "recording", path="a")
    assert view.notices(ENGLISH) == ["saved b", "recorded a"]
    now = 107.5
    assert view.notices(ENGLISH) == ["recorded a"]
    now = 108.0
    assert view.notices(ENGLISH) == []


def test_a_message_waits_for_the_end_of_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    view = View()
    view.notify(Phrase.SAVED, path="a")
    view.apply(Command.HELP)
    for seconds in (1.0, 3.0, 6.0):
        now = 100.0 + seconds
        assert view.notices(ENGLISH) == []
    view.apply(Command.HELP)
    assert view.notices(ENGLISH) == ["saved a"]
