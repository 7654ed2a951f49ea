from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.drawing.lettering import tag_size, unit_for
from emodetect.drawing.overlay import COLORS, UNKNOWN_COLOR, Layout, Strip, Style, draw, label, mirrored, resized
from emodetect.drawing.palette import BLACK, Color, contrast
from emodetect.faces.boxes import intersections
from emodetect.types import EMOTIONS, Box, Emotion, EmotionScores, FaceReading, Image
from tests.builders import make_image, make_reading, make_result, make_scores
from tests.drawing.recording import Recorder

PLAIN = make_image(640, 360, (60, 60, 60))
FACE = Box(240, 130, 100, 120)


def where(image: Image, color: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray((image == np.asarray(color, np.uint8)).all(axis=-1))


def changed(image: Image, before: Image = PLAIN) -> npt.NDArray[np.bool_]:
    return np.asarray((image != before).any(axis=-1))


def bounds(mask: npt.NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))


def bar_lengths(image: Image, panel: Box) -> dict[Emotion, int]:
    """The longest row of each emotion's color in a part of the picture, pixels."""
    part = image[panel.y : panel.y + panel.height, panel.x : panel.x + panel.width]
    return {emotion: int(where(part, color).sum(axis=1).max()) for emotion, color in COLORS.items()}


def test_every_emotion_has_a_color_of_its_own() -> None:
    assert set(COLORS) == set(EMOTIONS)
    assert len({*COLORS.values(), UNKNOWN_COLOR}) == 8


@pytest.mark.parametrize("readings", [[], [make_reading()]])
def test_the_picture_itself_is_left_as_it_is(readings: list[FaceReading]) -> None:
    image = PLAIN.copy()
    result = draw(image, readings, status=["a"], banner="b")
    np.testing.assert_array_equal(image, PLAIN)
    assert result is not image
    assert result.shape == image.shape
    assert result.dtype == np.uint8


def test_nothing_to_draw_gives_an_equal_copy() -> None:
    result = draw(PLAIN, [])
    np.testing.assert_array_equal(result, PLAIN)
    assert not np.shares_memory(result, PLAIN)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_box_is_drawn_where_the_face_is_in_the_color_of_its_emotion(emotion: Emotion) -> None:
    mask = where(draw(PLAIN, [make_reading(FACE, dominant=emotion)]), COLORS[emotion])
    left, top, right, bottom = FACE.x, FACE.y, FACE.x + FACE.width - 1, FACE.y + FACE.height - 1
    assert mask[top : bottom + 1, left].all()
    assert mask[top : bottom + 1, right].all()
    assert mask[top, left : right + 1].all()
    assert mask[bottom, left : right + 1].all()
    # The middle of the face stays to be seen.
    assert not changed(draw(PLAIN, [make_reading(FACE)]))[top + 20 : bottom - 20, left + 20 : right - 20].any()


def test_a_face_that_nobody_has_read_yet_has_a_box_and_no_panel() -> None:
    result = draw(PLAIN, [FaceReading(FACE, 1, None)])
    assert where(result, UNKNOWN_COLOR)[FACE.y : FACE.y + FACE.height, FACE.x].all()
    assert not any(where(result, color).any() for color in COLORS.values())
    assert bounds(changed(result)).width < FACE.width + 20


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (make_reading(dominant=Emotion.HAPPY, confidence=0.81), "happy 81%"),
        (make_reading(dominant=Emotion.SAD, confidence=0.42, uncertain=True), "uncertain"),
        (make_reading(dominant=Emotion.SURPRISE, confidence=1.0), "surprise 100%"),
        (FaceReading(FACE, 1, None), "..."),
    ],
)
def test_the_label_says_emotion_and_confidence_or_doubt(reading: FaceReading, expected: str) -> None:
    assert label(reading) == expected


def test_doubt_is_seen_in_the_picture() -> None:
    doubtful = draw(PLAIN, [make_reading(FACE, uncertain=True)], bars=False)
    assert where(doubtful, UNKNOWN_COLOR)[FACE.y : FACE.y + FACE.height, FACE.x].all()
    assert not any(where(doubtful, color).any() for emotion, color in COLORS.items() if emotion is not Emotion.NEUTRAL)


def test_an_emotion_that_is_held_is_shown_without_the_score_that_belies_it() -> None:
    held = replace(make_reading(FACE, dominant=Emotion.SAD, confidence=0.5), held=Emotion.HAPPY)
    assert held.scores is not None
    assert label(held) == "happy"
    assert where(draw(PLAIN, [held]), COLORS[Emotion.HAPPY])[FACE.y : FACE.y + FACE.height, FACE.x].all()


def test_the_label_stands_over_the_face_or_where_there_is_room() -> None:
    color = COLORS[Emotion.HAPPY]
    over = bounds(where(draw(PLAIN, [make_reading(FACE)]), color)[:, : FACE.x + FACE.width])
    assert over.y < FACE.y - 10
    under = draw(PLAIN, [make_reading(Box(240, 3, 100, 120))])
    assert where(under, color)[126:136, 242:300].mean() > 0.3
    inside = draw(PLAIN, [make_reading(Box(240, 3, 100, 350))])
    assert where(inside, color)[6:16, 242:300].mean() > 0.3


@pytest.mark.parametrize("x", [0, 600])
def test_the_label_of_a_face_at_the_rim_stays_in_the_picture(x: int) -> None:
    # The widest label over the narrowest box: as many of its pixels as in the middle of the picture.
    def tag(left: int) -> int:
        face = Box(left, 130, 40, 60)
        result = draw(PLAIN, [FaceReading(face, 1, make_scores(Emotion.SURPRISE, 1.0), False)])
        return int(where(result, COLORS[Emotion.SURPRISE])[face.y - 15 : face.y - 3].sum())

    assert tag(x) == pytest.approx(tag(300), rel=0.05)


def test_the_panels_bars_are_as_long_as_the_scores_in_the_order_of_the_labels() -> None:
    values = np.asarray([0.05, 0.1, 0.15, 0.35, 0.2, 0.1, 0.05], np.float32)
    result = draw(PLAIN, [FaceReading(FACE, 1, EmotionScores(values), False)])
    right = FACE.x + FACE.width + 6
    ground = bounds(where(result, BLACK)[:, right:])  # what the bars leave: letters are as white as the bar of neutral
    panel = Box(right + ground.x - 4, ground.y, ground.width + 4, ground.height)
    lengths = bar_lengths(result, panel)
    whole = lengths[Emotion.HAPPY] / 0.35
    for emotion, value in zip(EMOTIONS, values, strict=True):
        assert lengths[emotion] == pytest.approx(whole * value, abs=2)
    # The row with most of a color is its bar's; a pixel here and there has it from the rim of a letter.
    rows = [int(where(result, COLORS[emotion])[:, panel.x : panel.x + panel.width].sum(axis=1).argmax()) for emotion in EMOTIONS]
    assert rows == sorted(set(rows))


@pytest.mark.parametrize(
    ("face", "side"),
    [
        pytest.param(Box(100, 120, 100, 120), "right", id="room on the right"),
        pytest.param(Box(530, 120, 100, 120), "left", id="no room on the right"),
        pytest.param(Box(10, 40, 620, 140), "below", id="as wide as the picture"),
        pytest.param(Box(10, 210, 620, 140), "above", id="as wide as the picture and at its bottom"),
    ],
)
def test_the_panel_stands_where_there_is_room(face: Box, side: str) -> None:
    mask = where(draw(PLAIN, [make_reading(face, confidence=0.9)]), COLORS[Emotion.NEUTRAL])
    # The bar of the least likely emotion shows nothing, the gray of the bars' ground does.
    ground = where(draw(PLAIN, [make_reading(face, confidence=0.9)]), (90, 90, 90)) & ~mask
    place = bounds(ground)
    assert {
        "right": place.x >= face.x + face.width,
        "left": place.x + place.width <= face.x,
        "below": place.y >= face.y + face.height,
        "above": place.y + place.height <= face.y,
    }[side]


@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (3840, 2160)])
def test_the_panel_says_each_score_in_percent(size: tuple[int, int]) -> None:
    values = np.asarray([0.004, 0.006, 0.15, 0.654, 0.086, 0.1, 0], np.float32)
    recorder = Recorder()
    face = Box(10, size[1] // 3, size[1] // 3, size[1] // 3)
    draw(
        make_image(*size), [FaceReading(face, 1, EmotionScores(values), False)], style=Style(lettering=recorder), layout=Layout()
    )
    panel = [text for text, _ in recorder.written if "%" not in text]
    assert panel[::2] == [emotion.value for emotion in EMOTIONS]
    assert panel[1::2] == ["0", "1", "15", "65", "9", "10", "0"]
    numbers = [box for text, box in recorder.written if text.isdecimal()]
    assert len({box.x + box.width for box in numbers}) == 1, "their ends stand below each other"


def test_a_photo_with_little_room_has_bars_without_numbers() -> None:
    for side, expected in ((90, True), (100, False)):
        recorder = Recorder()
        draw(make_image(300, 300), [make_reading(Box(150 - side // 2, 112, side, side))], style=Style(lettering=recorder))
        texts = {text for text, _ in recorder.written}
        assert "surprise" in texts
        assert any(text.isdecimal() for text in texts) is expected


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720), (3840, 2160)])
@pytest.mark.parametrize("ground", [(0, 0, 0), (255, 255, 255)])
def test_letters_are_anti_aliased_and_stand_out(size: tuple[int, int], ground: tuple[int, int, int]) -> None:
    for emotion in (Emotion.NEUTRAL, Emotion.SAD):
        recorder = Recorder()
        image = make_image(*size, ground)
        face = Box(10, size[1] // 2, size[1] // 4, size[1] // 4)
        image = draw(image, [make_reading(face, dominant=emotion)], status=["25 frames/s"], style=Style(lettering=recorder))
        assert len(recorder.written) >= 2 + len(EMOTIONS)
        for _, box in recorder.written:
            colors = np.unique(image[box.y : box.y + box.height, box.x : box.x + box.width].reshape(-1, 3), axis=0).tolist()
            assert len(colors) > 5, "between letters and background there are further levels"
            (b, g, r), (blue, green, red) = min(colors, key=sum), max(colors, key=sum)
            assert contrast((b, g, r), (blue, green, red)) > 4.5


def test_corners_of_labels_are_rounded_and_sides_of_boxes_are_crisp() -> None:
    image = draw(PLAIN, [make_reading(FACE, dominant=Emotion.SAD)], bars=False)
    corner = FACE.y - tag_size(Style().lettering, "sad 70%", unit_for((640, 360)))[1]
    assert (image[corner, FACE.x] == PLAIN[corner, FACE.x]).all()
    assert (image[corner + 8, FACE.x] == BLACK).all()
    assert not changed(image)[FACE.y + 60].all()
    # Away from the label only three colors: the image's, the box's and that of its dark lines.
    part = image[FACE.y + 30 : FACE.y + FACE.height + 6, FACE.x - 6 : FACE.x + FACE.width + 6].reshape(-1, 3)
    assert {tuple(color) for color in np.unique(part, axis=0).tolist()} == {(60, 60, 60), BLACK, COLORS[Emotion.SAD]}
    # Thin lines: no thicker than an eighth of the letters.
    assert where(image, COLORS[Emotion.SAD])[FACE.y + 60].sum() <= 4


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_nothing_flickers_while_the_boxes_of_faces_tremble(size: tuple[int, int]) -> None:
    layout, random, told = Layout(), np.random.default_rng(1), []
    side = size[1] // 5
    faces = [Box(size[0] * column // 4 + 20, 4 + row * size[1] // 2, side, side) for row in range(2) for column in range(4)]
    for _ in range(60):
        readings = []
        for number, face in enumerate(faces):
            moved = face.moved(*random.integers(-2, 3, 2).tolist())
            box = replace(moved, width=side + int(random.integers(-2, 3)), height=side + int(random.integers(-2, 3)))
            readings.append(make_reading(box, number, EMOTIONS[number % 7], float(random.uniform(0.6, 0.9))))
        draw(make_image(*size), readings, layout=layout)
        labels = {number: (place.slot, place.form) for number, (place, _) in layout.labels.items()}
        told.append((labels, dict(layout.panels)))
    assert len(told[-1][0]) == len(faces)
    assert sum(first != second for first, second in pairwise(told[20:])) <= 1


def test_a_panel_keeps_off_other_faces() -> None:
    left, right = Box(200, 120, 100, 120), Box(320, 120, 100, 120)
    result = draw(PLAIN, [make_reading(left, 1, Emotion.SAD), make_reading(right, 2, Emotion.HAPPY)])
    middle = changed(result)[right.y + 30 : right.y + right.height - 10, right.x + 10 : right.x + right.width - 10]
    assert not middle.any()
    middle = changed(result)[left.y + 30 : left.y + left.height - 10, left.x + 10 : left.x + left.width - 10]
    assert not middle.any()


def test_where_no_panel_fits_box_and_label_are_drawn_still() -> None:
    small = make_image(60, 50, (60, 60, 60))
    result = draw(small, [make_reading(Box(10, 10, 30, 30), dominant=Emotion.SAD)])
    assert where(result, COLORS[Emotion.SAD])[39, 10:40].all()
    assert not where(result, (90, 90, 90)).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (90, 2), (33, 21), (3840, 2160)])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_any_size_of_picture_and_number_of_faces_can_be_drawn(size: tuple[int, int], count: int) -> None:
    width, height = size
    box = Box(0, 0, max(1, width // 2), max(1, height // 2))
    result = draw(make_image(*size), [make_reading(box, i) for i in range(count)], status=["30 fps"], banner=["loading"])
    assert result.shape == (height, width, 3)


@pytest.mark.parametrize(
    ("status", "banner", "region"),
    [
        (["30 frames/s"], (), (slice(0, 40), slice(0, 200))),
        (["30 frames/s", "cnn"], (), (slice(0, 60), slice(0, 200))),
        ((), ["loading the model"], (slice(300, 360), slice(100, 540))),
    ],
)
def test_status_stands_top_left_and_the_banner_at_the_bottom(
    status: Sequence[str], banner: Sequence[str], region: tuple[slice, slice]
) -> None:
    mask = changed(draw(PLAIN, [], status=status, banner=banner))
    assert mask.any()
    inside = mask[region].sum()
    assert inside == mask.sum()


def test_messages_share_one_line_at_the_bottom() -> None:
    one, two = (bounds(changed(draw(PLAIN, [], banner=text))) for text in (["saved"], ["loading", "saved"]))
    assert (two.y, two.height) == (one.y, one.height)
    assert two.width > one.width
    assert 360 - 10 < two.y + two.height <= 360


def test_the_banner_is_in_the_middle() -> None:
    place = bounds(changed(draw(PLAIN, [], banner=["loading the model"])))
    assert place.x + place.width / 2 == pytest.approx(320, abs=1)


@pytest.mark.parametrize("x", [230, 20, 520])
def test_messages_keep_off_the_faces_where_they_can(x: int) -> None:
    recorder, face = Recorder(), Box(x, 250, 110, 108)
    draw(PLAIN, [make_reading(face)], banner=["saved emodetect.png"], style=Style(lettering=recorder), layout=Layout())
    [message] = [box for text, box in recorder.written if text.startswith("saved")]
    others = [box for text, box in recorder.written if not text.startswith("saved")]
    assert not intersections([message], [face, *others]).any()
    assert any(text.startswith("happy") and "%" in text for text, _ in recorder.written)


def test_a_message_over_faces_from_edge_to_edge_still_leaves_the_label() -> None:
    recorder, face = Recorder(), Box(0, 40, 640, 320)
    draw(PLAIN, [make_reading(face)], banner=["saved emodetect.png"], style=Style(lettering=recorder), layout=Layout())
    texts, boxes = zip(*recorder.written, strict=True)
    assert {"saved emodetect.png", "happy 70%"} <= {*texts}
    assert not any(intersections([first], [second]).any() for first, second in combinations(boxes, 2))


def test_status_texts_stand_side_by_side_and_below_each_other_where_there_is_no_room() -> None:
    written = []
    for marks in ([], [Box(150, 0, 100, 20)]):
        recorder = Recorder()
        draw(PLAIN, [], status=["25 frames/s, 21 ms", "embedded"], marks=marks, style=Style(lettering=recorder))
        written.append([text for text, _ in recorder.written])
    assert written == [["25 frames/s, 21 ms · embedded"], ["25 frames/s, 21...", "embedded"]]


@pytest.mark.parametrize("box", [Box(0, 10, 40, 50), Box(600, 10, 40, 50), Box(100, 20, 80, 30)])
def test_mirrored_boxes_cover_the_mirror_image(box: Box) -> None:
    image = PLAIN.copy()
    image[box.y : box.y + box.height, box.x : box.x + box.width] = 255
    result = mirrored(replace(make_result(replace(make_reading(box, 7), angle=20.0)), seen=(box,)), 640)
    flipped = image[:, ::-1]
    [reading] = result.readings
    assert bounds(where(flipped, (255, 255, 255))) == reading.box
    assert result.seen == (reading.box,)
    assert reading.track_id == 7
    assert reading.scores is not None
    assert reading.angle == -20


def test_mirroring_twice_changes_nothing_and_nobody_is_mirrored_to_nobody() -> None:
    result = replace(make_result(make_reading(FACE)), seen=(FACE,))
    assert mirrored(mirrored(result, 640), 640) == result
    assert mirrored(make_result(), 640) == make_result()


def test_boxes_fit_on_the_picture_made_smaller() -> None:
    box = Box(100, 60, 80, 90)
    small = resized(replace(make_result(make_reading(box)), seen=(box,)), 0.5)
    assert [reading.box for reading in small.readings] == [*small.seen] == [Box(50, 30, 40, 45)]


def crowd(count: int, size: tuple[int, int], seed: int) -> list[FaceReading]:
    """Faces anywhere, every emotion among them, some of them not sure or not read."""
    random = np.random.default_rng(seed)
    readings = []
    for number in range(1, count + 1):
        side = int(random.integers(size[1] // 12, size[1] // 3))
        box = Box(int(random.integers(size[0] - side)), int(random.integers(size[1] - side)), side, side)
        reading = make_reading(box, number, EMOTIONS[number % 7], 0.9, uncertain=number % 5 == 0)
        readings.append(replace(reading, scores=None) if number % 11 == 0 else reading)
    return readings


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (3840, 2160)])
@pytest.mark.parametrize("count", [1, 12, 30])
@pytest.mark.parametrize("with_strip", [False, True])
def test_no_text_is_written_over_another_or_beyond_the_picture(size: tuple[int, int], count: int, with_strip: bool) -> None:
    recorder, readings = Recorder(), crowd(count, size, seed=count)
    strip = Strip() if with_strip else None
    if strip:
        strip.update(make_result(*readings, timestamp=0.0))
        strip.update(make_result(*readings, timestamp=0.5))
    banner = "loading a network with a long name that is longer than any window is wide, as can be seen ..."
    status = ["25 frames/s", "23 ms"]
    style = Style(lettering=recorder)
    draw(make_image(*size), readings, status=status, banner=[banner], strip=strip, style=style)
    assert "25 frames/s · 23 ms" in {text for text, _ in recorder.written}
    boxes = [box for _, box in recorder.written]
    assert all(box.lies_in(*size) for box in boxes)
    assert not any(intersections([first], [second]).any() for first, second in combinations(boxes, 2))
    if count < 30 and not with_strip:
        labels = [text for text, _ in recorder.written if text.startswith(tuple(e.value for e in EMOTIONS)) and "%" in text]
        assert labels


@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (3840, 2160)])
@pytest.mark.parametrize("layout", [None, Layout()], ids=["photo", "clip"])
def test_no_text_covers_another_face_even_one_without_a_label(size: tuple[int, int], layout: Layout | None) -> None:
    """A row of faces and one behind each gap, of which every second is seen only."""
    side = size[0] // 12
    row = [Box(round((0.5 + 1.5 * number) * side), size[1] // 2, side, side) for number in range(8)]
    behind = [Box(box.x + round(0.8 * side), box.y - side - 4, round(0.6 * side), round(0.6 * side)) for box in row]
    boxes = [*row, *behind]
    readings = [make_reading(box, number, EMOTIONS[number % 7], 0.9) for number, box in enumerate(boxes[::2])]
    recorder = Recorder()
    draw(make_image(*size), readings, seen=[box.moved(1, -1) for box in boxes], style=Style(lettering=recorder), layout=layout)
    texts = [box for _, box in recorder.written]
    assert texts
    assert not intersections(texts, boxes[1::2]).any()
    covered = (intersections(texts, boxes[::2]) > 0).sum(axis=0)
    assert (covered <= 1).all(), "its own label at most"


def test_places_that_are_the_faces_own_do_not_move_labels() -> None:
    readings = [make_reading(FACE, confidence=0.9)]
    seen = [FACE, FACE.moved(4, 3), Box(FACE.x - 10, FACE.y - 20, FACE.width + 20, FACE.height + 40), Box(0, 0, 640, 360)]
    np.testing.assert_array_equal(draw(PLAIN, readings, seen=seen), draw(PLAIN, readings))


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720), (3840, 2160)])
@pytest.mark.parametrize("share", [0.08, 0.2, 0.5])
def test_the_letters_of_a_panel_in_a_photo_are_as_large_as_those_of_its_label(size: tuple[int, int], share: float) -> None:
    side = round(share * size[1])
    recorder = Recorder()
    draw(make_image(*size), [make_reading(Box(10, size[1] // 3, side, side), confidence=0.9)], style=Style(lettering=recorder))
    [label_height] = [box.height for text, box in recorder.written if "%" in text]
    panel = {text: box.height for text, box in recorder.written if "%" not in text}
    assert {emotion.value for emotion in EMOTIONS} | {"90"} <= {*panel}
    assert max(abs(height - label_height) for height in panel.values()) <= max(1, 0.05 * label_height)


def test_in_a_photo_all_letters_shrink_where_panels_would_be_left_out() -> None:
    readings = [make_reading(Box(10 + 140 * number, 300, 100, 100), number, confidence=0.9) for number in range(9)]
    recorder = Recorder()
    draw(make_image(1280, 720), readings, style=Style(lettering=recorder))
    alone = Recorder()
    draw(make_image(1280, 720), readings[2:3], style=Style(lettering=alone))
    names = [text for text, _ in recorder.written if text in {emotion.value for emotion in EMOTIONS}]
    assert len(names) == 9 * len(EMOTIONS), "every face has its panel"
    crowded, roomy = ({box.height for _, box in written} for written in (recorder.written, alone.written))
    assert max(crowded) - min(crowded) <= 1
    assert max(crowded) < min(roomy)


def test_what_is_too_long_for_the_picture_is_shortened() -> None:
    recorder = Recorder()
    draw(make_image(320, 240), [], banner=["loading " + 40 * "x" + 40 * "y"], style=Style(lettering=recorder))
    [(first, _), (second, box)] = recorder.written
    assert first == "loading"
    assert re.fullmatch(r"x{10,}\.\.\.y{10,}", second)
    assert box.width > 250


def test_a_long_message_is_broken_into_three_lines_at_most() -> None:
    recorder = Recorder()
    draw(make_image(320, 240), [], banner=[" ".join(20 * ["loading"])], style=Style(lettering=recorder))
    lines = [text for text, _ in recorder.written]
    assert len(lines) == 3
    assert lines[2].endswith("...")


def test_the_latest_messages_stay_where_there_are_too_many() -> None:
    recorder = Recorder()
    draw(make_image(320, 240), [], banner=[f"saved {number}" for number in range(30)], style=Style(lettering=recorder))
    [line] = [text for text, _ in recorder.written]
    assert line.endswith("saved 28 · saved 29")
    assert "saved 0" not in line


@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_box_is_seen_on_any_ground(ground: int, emotion: Emotion) -> None:
    image = make_image(640, 360, (ground, ground, ground))
    line = draw(image, [make_reading(FACE, dominant=emotion)], labels=False, bars=False)[FACE.y + 60, FACE.x - 5 : FACE.x + 6]
    colors: list[Color] = [(int(b), int(g), int(r)) for b, g, r in line]
    assert COLORS[emotion] in colors
    # From the ground over the dark line to the colored one and back, at least one step is a strong one.
    assert max(contrast(first, second) for first, second in pairwise(colors)) >= 3
    assert BLACK in colors


@pytest.mark.parametrize(("bars", "labels"), [(False, True), (True, False), (False, False)])
def test_bars_and_labels_can_be_left_out(bars: bool, labels: bool) -> None:
    recorder = Recorder()
    draw(PLAIN, [make_reading(FACE)], bars=bars, labels=labels, style=Style(lettering=recorder))
    texts = {text for text, _ in recorder.written}
    assert ("happy 70%" in texts) is labels
    assert ("surprise" in texts) is bars


def test_faces_are_numbered_as_in_the_strip() -> None:
    recorder, strip, reading = Recorder(), Strip(), make_reading(FACE, 7)
    strip.update(make_result(reading))
    draw(PLAIN, [reading], strip=strip, style=Style(lettering=recorder))
    texts = [text for text, _ in recorder.written]
    assert "7: happy 70%" in texts
    assert "7" in texts


def test_a_panel_stays_on_its_side_and_a_label_in_its_place_while_they_can() -> None:
    """A face that wanders to the right edge and back: what had to go to its left stays there."""
    layout, panels, labels = Layout(), [], []
    for x in (300, 520, 300):
        recorder = Recorder(Style().lettering)
        draw(PLAIN, [make_reading(Box(x, 100, 100, 100))], style=Style("en", recorder), layout=layout)
        written = dict(recorder.written)
        panels.append(written["fear"].x > x)
        labels.append(written["happy 70%"].y)
    assert panels == [True, False, False]
    assert len(set(labels)) == 1

    draw(PLAIN, [], layout=layout)
    assert layout == Layout()


def test_labels_keep_off_the_marks_in_the_corner() -> None:
    recorder = Recorder(Style().lettering)
    mark = Box(540, 0, 100, 30)
    draw(PLAIN, [make_reading(Box(540, 30, 90, 90))], bars=False, style=Style("en", recorder), marks=[mark])
    [(_, box)] = recorder.written
    assert intersections([box], [mark]).sum() == 0
