from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.drawing.languages import WORDS
from emodetect.drawing.palette import COLORS
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.faces.boxes import crop
from emodetect.live.keys import Command
from emodetect.live.renderer import Activity, Pace, Renderer
from emodetect.live.view import View
from emodetect.types import Box, Emotion, Frame, FrameResult, Image
from tests.builders import make_background, make_frame, make_reading, make_result, place_face
from tests.drawing.recording import Recorder
from tests.drawing.test_lettering import style_for

FACE = Box(145, 135, 110, 110)
SIZE = 640, 360


@pytest.fixture(scope="module")
def frame() -> Frame:
    """A picture with one face on the left half."""
    return make_frame(place_face(make_background(SIZE), (200.0, 190.0), 110.0)[0])


@pytest.fixture(scope="module")
def result() -> FrameResult:
    """That the face is happy, and where another one may be."""
    return replace(make_result(make_reading(FACE)), seen=(FACE, Box(400, 60, 90, 90)))


def near(image: Image, emotion: Emotion) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(image.astype(int) - COLORS[emotion]).max(axis=2) < 30)


def is_framed(image: Image, box: Box, emotion: Emotion = Emotion.HAPPY) -> bool:
    """Whether a line of the emotion's color goes down both sides of this box."""
    drawn = near(image, emotion)[box.y + 20 : box.y + box.height - 20]
    return all(drawn[:, side - 3 : side + 3].any(axis=1).all() for side in (box.x, box.x + box.width))


def texts(
    frame: Frame,
    result: FrameResult,
    activity: Activity | None = None,
    *,
    view: View | None = None,
    anonymize_by: str | None = None,
) -> list[str]:
    """What is written on a rendered picture apart from labels, panels and marks."""
    lettering = Recorder()
    view = view or View()
    view.labels = view.bars = False
    renderer = Renderer(view, style=Style(lettering=lettering), anonymize_by=anonymize_by)
    renderer.render(frame, renderer.update(result), activity or Activity(elapsed=60.0))
    return [text for text, _ in lettering.written]


def test_the_face_has_a_frame_of_its_emotions_color_and_a_label(frame: Frame, result: FrameResult) -> None:
    before = frame.image.copy()
    image = Renderer(View()).render(frame, result, Activity())
    assert image.shape == frame.image.shape
    assert is_framed(image, FACE)
    assert near(image, Emotion.HAPPY)[FACE.y - 16 : FACE.y - 4, FACE.x + 10 : FACE.x + 50].mean() > 0.4
    assert (frame.image == before).all()


def test_a_mirror_shows_the_face_on_the_other_side(frame: Frame, result: FrameResult) -> None:
    mirrored = Box(SIZE[0] - FACE.x - FACE.width, FACE.y, FACE.width, FACE.height)
    image = Renderer(View(mirror=True, bars=False)).render(frame, result, Activity())
    assert is_framed(image, mirrored)
    assert not is_framed(image, FACE)
    # The corner that nothing is drawn on is the frame's other one.
    assert (image[-40:, -40:] == frame.image[-40:, :40][:, ::-1]).all()


@pytest.mark.parametrize("size", [(320, 180), (1280, 720)])
def test_in_another_size_the_box_moves_along(frame: Frame, result: FrameResult, size: tuple[int, int]) -> None:
    image = Renderer(View(bars=False)).render(frame, result, Activity(), size)
    scale = size[0] / SIZE[0]
    assert image.shape == (size[1], size[0], 3)
    assert is_framed(image, Box(*(round(scale * side) for side in (FACE.x, FACE.y, FACE.width, FACE.height))))


def test_switches_of_the_view_take_effect_at_once(frame: Frame, result: FrameResult) -> None:
    view = View(numbers=False)
    renderer = Renderer(view)
    drawn = {}
    for command in (Command.BARS, Command.LABELS, Command.STRIP):
        view.apply(command)
        renderer.update(result)
        drawn[command] = renderer.render(frame, result, Activity(elapsed=60.0))
    label = FACE.y - 16, FACE.y - 4
    beside = slice(FACE.x + FACE.width + 15, FACE.x + FACE.width + 140)
    assert not near(drawn[Command.BARS], Emotion.HAPPY)[FACE.y : FACE.y + FACE.height, beside].any()
    assert near(drawn[Command.BARS], Emotion.HAPPY)[slice(*label), FACE.x + 10 : FACE.x + 50].mean() > 0.4
    assert not near(drawn[Command.LABELS], Emotion.HAPPY)[slice(*label), FACE.x + 10 : FACE.x + 50].any()
    assert (drawn[Command.LABELS][-20:] == frame.image[-20:]).all()
    assert (drawn[Command.STRIP][-20:] != frame.image[-20:]).any()


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        (Activity(elapsed=60.0), ["0 frames/s, 0 ms"]),
        (Activity(elapsed=60.0, backend="embedded"), ["0 frames/s, 0 ms · embedded"]),
        (Activity(elapsed=5.9), ["0 frames/s, 0 ms · ?  keys"]),
        (Activity(elapsed=60.0, backend="cnn", is_reconnecting=True), ["cnn", "reconnecting ..."]),
        (Activity(elapsed=60.0, loading="deepface"), ["0 frames/s, 0 ms", "loading deepface ..."]),
        (Activity(elapsed=60.0, is_recording=True, is_logging=True), ["0 frames/s, 0 ms", "LOG", "REC"]),
    ],
)
def test_what_the_session_does_is_told(frame: Frame, result: FrameResult, activity: Activity, expected: list[str]) -> None:
    assert texts(frame, result, activity) == expected


def test_messages_stand_in_the_line_at_the_bottom_and_wait_for_the_end_of_the_help(frame: Frame, result: FrameResult) -> None:
    view = View(numbers=False, paused=True)
    view.notify(Phrase.SAVED, "picture", path="a.png")
    activity = Activity(elapsed=60.0, loading="deepface", is_reconnecting=True)
    banner = ["reconnecting ... · loading deepface ... · paused · saved a.png"]
    assert texts(frame, result, activity, view=view) == banner
    view.help = True
    assert not set(banner) & set(texts(frame, result, activity, view=view))
    assert "quit" in texts(frame, result, activity, view=view)
    view.help = False
    assert texts(frame, result, activity, view=view) == banner


def messages_while_nobody_is_seen(
    frame: Frame, result: FrameResult, seconds: range, view: View, style: Style | None = None, *, can_search: bool = True
) -> list[str]:
    """The line at the bottom in each second; in the second one of them somebody is seen."""
    style = style or Style()
    lettering = Recorder(style.lettering)
    view.labels = view.bars = False
    renderer = Renderer(view, style=replace(style, lettering=lettering))
    told = []
    for second in seconds:
        lettering.written.clear()
        seen = result if second == 2 else make_result()
        activity = Activity(elapsed=60.0, can_search_smaller=can_search)
        renderer.render(replace(frame, timestamp=float(second)), seen, activity)
        told.append(" ".join(text for text, box in lettering.written if box.y > SIZE[1] / 2))
    return told


def test_nobody_is_missed_only_after_two_seconds_and_smaller_faces_are_suggested_after_five(
    frame: Frame, result: FrameResult
) -> None:
    nobody, hint = "no face found", "no face found: key - finds smaller faces"
    told = messages_while_nobody_is_seen(frame, result, range(10), View())
    assert told == ["", "", "", "", "", nobody, nobody, nobody, hint, hint]


def test_a_key_that_does_nothing_is_not_suggested(frame: Frame, result: FrameResult) -> None:
    view = View()
    while not view.finds_smallest_faces:
        view.apply(Command.SMALLER_FACES)
    view.notify(Phrase.NO_SMOOTHING, "face")  # in place of the message on the smallest face
    told = messages_while_nobody_is_seen(frame, result, range(9), view)
    assert told[-1].startswith("no face found · ")
    assert messages_while_nobody_is_seen(frame, result, range(9), View(), can_search=False)[-1] == "no face found"
    assert messages_while_nobody_is_seen(frame, result, range(9), View(numbers=False))[-1] == ""


@pytest.mark.parametrize("language", list(WORDS))
def test_the_suggestion_is_one_line_in_every_language(language: str, frame: Frame, result: FrameResult) -> None:
    told = messages_while_nobody_is_seen(frame, result, range(9), View(), style_for(language))
    assert told[-1] == Phrase.NO_FACE_SUGGESTION.text(language)
    assert " - " in told[-1]


def test_that_faces_are_hidden_is_told(frame: Frame, result: FrameResult) -> None:
    assert texts(frame, result, view=View(numbers=False), anonymize_by="blur") == ["faces are hidden in what is saved"]


def test_a_label_does_not_change_for_one_frame() -> None:
    renderer = Renderer(View())
    emotions = [Emotion.HAPPY, Emotion.HAPPY, Emotion.SAD, Emotion.HAPPY, *[Emotion.SAD] * 30]
    results = [
        make_result(make_reading(FACE, dominant=emotion, confidence=0.5), index=index, timestamp=index / 30)
        for index, emotion in enumerate(emotions)
    ]
    shown = [renderer.update(one).readings[0].shown for one in results]
    assert shown[:4] == [Emotion.HAPPY] * 4
    assert shown[-1] is Emotion.SAD


def test_a_snapshot_has_labels_and_no_messages(frame: Frame, result: FrameResult) -> None:
    lettering = Recorder()
    view = View(paused=True)
    view.notify(Phrase.SAVED, "picture", path="a.png")
    image = Renderer(view, style=Style(lettering=lettering)).snapshot(frame, result)
    assert is_framed(image, FACE)
    assert lettering.written[-1][0].startswith("happy")
    assert "paused" not in [text for text, _ in lettering.written]
    assert (image[:40] == frame.image[:40]).all()


def test_a_snapshot_moves_no_label_of_the_window(frame: Frame, result: FrameResult) -> None:
    view = View()
    pictures = []
    for snapshots in (0, 3):
        renderer = Renderer(view)
        for _ in range(2):
            picture = renderer.render(frame, result, Activity(elapsed=60.0), (1280, 720))
            for _ in range(snapshots):
                renderer.snapshot(frame, result)
        pictures.append((picture, renderer.snapshot(frame, result)))
    for first, second in zip(*pictures, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_snapshot_hides_each_face_and_what_may_be_one(frame: Frame, result: FrameResult) -> None:
    before = frame.image.copy()
    view = View(bars=False, labels=False)
    image = Renderer(view, anonymize_by="box").snapshot(frame, result)
    for box in result.seen:
        inside = crop(image, Box(box.x + 10, box.y + 10, box.width - 20, box.height - 20))
        assert (inside == inside[0, 0]).all()
    assert (frame.image == before).all()
    assert not (Renderer(view).snapshot(frame, result)[150:230, 160:240] == image[150:230, 160:240]).all()


def test_the_pace_counts_the_last_second() -> None:
    pace = Pace()
    assert pace.in_words(Style()) == "0 frames/s, 0 ms"
    for index in range(50):
        pace.tick(index / 25, 0.04)
    assert pace.in_words(Style()) == "25 frames/s, 40 ms"
    for index in range(20):
        pace.tick(2 + index / 10, 0.1234)
    assert pace.in_words(Style()) == "10 frames/s, 123 ms"
