from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emodetect.drawing.label_placement import LabelPlace, Placed, place_labels
from emodetect.faces.boxes import intersections
from emodetect.types import Box

PICTURE = 640, 480
SIZE = 90, 20


def crowd(count: int, seed: int, picture: tuple[int, int]) -> list[Box]:
    """Faces anywhere, over each other as well, of a twelfth to a third of the picture's height."""
    random = np.random.default_rng(seed)
    boxes = []
    for _ in range(count):
        side = int(random.integers(picture[1] // 12, picture[1] // 3))
        boxes.append(Box(int(random.integers(picture[0] - side)), int(random.integers(picture[1] - side)), side, side))
    return boxes


def has_room(picture: tuple[int, int], taken: list[Box], size: tuple[int, int]) -> bool:
    """Whether a box of this size fits anywhere, seen by looking at every place."""
    if size[0] > picture[0] or size[1] > picture[1]:
        return False
    grid = np.zeros((picture[1], picture[0]), bool)
    for box in taken:
        grid[box.y : box.y + box.height, box.x : box.x + box.width] = True
    windows = np.lib.stride_tricks.sliding_window_view(grid, size[0], axis=1).any(axis=-1)
    return not np.lib.stride_tricks.sliding_window_view(windows, size[1], axis=0).any(axis=-1).all()


def assert_no_other_face_is_covered(faces: list[Box], places: list[LabelPlace | None]) -> None:
    for number, place in enumerate(places):
        if place is not None:
            assert intersections([place.box], [*faces[:number], *faces[number + 1 :]]).sum() == 0


@st.composite
def crowds(draw: st.DrawFn) -> tuple[tuple[int, int], list[Box], list[list[tuple[int, int]]], list[Box]]:
    """A small picture, faces anywhere in it, the sizes that each label could have, and what is taken."""
    picture = draw(st.integers(20, 120)), draw(st.integers(20, 90))

    def boxes(most: int) -> list[Box]:
        sides = st.integers(4, 40)
        found = draw(
            st.lists(st.tuples(st.integers(0, picture[0] - 1), st.integers(0, picture[1] - 1), sides, sides), max_size=most)
        )
        return [Box(x, y, width, height).clipped(*picture) for x, y, width, height in found]

    faces = boxes(10)
    width, height = draw(st.integers(8, 40)), draw(st.integers(4, 12))
    sizes = [(width, height), (max(4, width * 2 // 3), height), (max(3, width // 2), max(3, height * 2 // 3))]
    return picture, faces, [sizes[: draw(st.integers(0, 3))] for _ in faces], boxes(3)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(crowds())
def test_a_label_covers_no_other_face_and_is_there_while_there_is_room(
    crowd: tuple[tuple[int, int], list[Box], list[list[tuple[int, int]]], list[Box]],
) -> None:
    picture, faces, forms, taken = crowd
    places = place_labels(faces, forms, picture, taken)
    boxes = [place.box for place in places if place]
    assert_no_other_face_is_covered(faces, places)
    assert all(box.lies_in(*picture) for box in boxes)
    assert not any(intersections([first], [second]).any() for first, second in combinations(boxes, 2))
    assert intersections(boxes, taken).sum() == 0
    for number, (place, sizes) in enumerate(zip(places, forms, strict=True)):
        if place is None and sizes:
            others = [*faces[:number], *faces[number + 1 :]]
            assert not has_room(picture, [*taken, *boxes, *others], min(sizes, key=lambda size: size[0]))
        elif place is not None:
            assert (place.box.width, place.box.height) == sizes[place.form]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("picture", "everybody"), [((320, 240), False), ((640, 480), True), ((3840, 2160), True)])
def test_thirty_labels_overlap_never_and_stay_in_the_picture(picture: tuple[int, int], everybody: bool, seed: int) -> None:
    scale = max(1.0, picture[1] / 546)
    size, short = (round(100 * scale), round(20 * scale)), (round(66 * scale), round(20 * scale))
    taken = [Box(0, 0, size[0], size[1])]
    faces = crowd(30, seed, picture)
    places = place_labels(faces, [[size, short]] * 30, picture, taken)
    boxes = [place.box for place in places if place]
    assert all(box.lies_in(*picture) for box in boxes)
    assert not any(intersections([first], [second]).any() for first, second in combinations([*taken, *boxes], 2))
    assert [(box.width, box.height) for box in boxes] == [[size, short][place.form] for place in places if place]
    assert_no_other_face_is_covered(faces, places)
    # Nobody goes without a label while there is space.
    assert None not in places if everybody else not has_room(picture, [*taken, *boxes, *faces], short) or None not in places


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        pytest.param(Box(200, 200, 100, 100), Box(200, 180, 90, 20), id="over the face"),
        pytest.param(Box(600, 200, 40, 40), Box(550, 180, 90, 20), id="over it and moved into the picture"),
        pytest.param(Box(200, 12, 100, 100), Box(200, 0, 90, 20), id="over it and moved down a little, at the upper edge"),
        pytest.param(Box(200, 5, 100, 100), Box(200, 105, 90, 20), id="under it, nearer to the upper edge"),
        pytest.param(Box(200, 5, 100, 460), Box(200, 460, 90, 20), id="under it and moved up a little, at the lower edge"),
        pytest.param(Box(200, 5, 100, 470), Box(200, 5, 90, 20), id="inside, from edge to edge"),
    ],
)
def test_a_label_stands_over_under_or_in_its_face(face: Box, expected: Box) -> None:
    [place] = place_labels([face], [[SIZE]], PICTURE)
    assert place is not None
    assert (place.form, place.box) == (0, expected)


def test_a_label_stays_where_it_was_while_it_can() -> None:
    face = Box(200, 200, 100, 100)
    for slot, (x, y) in enumerate([(200, 180), (210, 180), (200, 300), (210, 300)]):
        before = LabelPlace(0, Box(x, y, 90, 20), slot), face
        [place] = place_labels([face], [[SIZE]], PICTURE, before=[before])
        assert place == before[0]
        [place] = place_labels([face], [[SIZE]], PICTURE, [Box(x, y, 30, 20)], before=[before])
        assert place is not None
        assert place.slot != slot


def test_a_shorter_form_beside_the_face_is_better_than_a_longer_one_in_it() -> None:
    taken = [Box(160, 170, 400, 30), Box(265, 300, 300, 30)]
    [place] = place_labels([Box(200, 200, 100, 100)], [[SIZE, (60, 20)]], PICTURE, taken)
    assert place == LabelPlace(1, Box(200, 300, 60, 20), 2)


def test_a_label_keeps_off_other_faces_while_it_can() -> None:
    face, other = Box(200, 200, 100, 100), Box(190, 80, 130, 110)
    [place, _] = place_labels([face, other], [[SIZE]] * 2, PICTURE)
    assert place is not None
    assert place.box == Box(200, 300, 90, 20)


def test_a_shorter_form_is_taken_where_the_longer_has_no_room() -> None:
    face = Box(0, 30, 60, 60)
    assert place_labels([face], [[(90, 20), (60, 20)]], (80, 200)) == [LabelPlace(1, Box(0, 10, 60, 20), 0)]


def test_without_room_at_the_face_the_nearest_free_place_is_found() -> None:
    face = Box(0, 0, 200, 200)
    [place] = place_labels([face], [[(90, 20)]], (400, 220), [Box(0, 0, 250, 200), Box(0, 200, 400, 10)])
    assert place is not None
    assert place.slot is None
    assert place.box.x == 250
    assert place.box.y + place.box.height <= 200


def test_smaller_letters_come_after_all_places_at_the_face() -> None:
    forms = [SIZE, (60, 20), (45, 14)]
    taken = [Box(160, 170, 400, 30), Box(160, 300, 400, 30)]  # nothing is free over and under the face
    assert place_labels([Box(200, 200, 100, 100)], [forms], PICTURE, taken) == [LabelPlace(0, Box(200, 200, 90, 20), 4)]
    assert place_labels([Box(200, 200, 50, 100)], [forms], PICTURE, [*taken, Box(250, 200, 90, 100), Box(110, 200, 90, 100)]) == [
        LabelPlace(2, Box(200, 200, 45, 14), 4)
    ]


def test_where_there_is_no_room_at_all_there_is_no_label() -> None:
    faces = [Box(0, 0, 50, 50), Box(50, 0, 50, 50), Box(0, 0, 100, 50)]
    assert place_labels(faces, [[(90, 20)]] * 3, (100, 50)) == [None, None, None]
    assert place_labels(faces[:1], [[(90, 20)]], (40, 50)) == [None]


def test_a_face_without_a_label_has_none() -> None:
    assert place_labels([Box(0, 40, 50, 50)] * 2, [[], [SIZE]], PICTURE)[0] is None
    assert place_labels([], [], PICTURE) == []


def follow(
    frames: list[tuple[list[Box], list[Box]]], forms: list[tuple[int, int]], picture: tuple[int, int] = PICTURE
) -> list[list[LabelPlace | None]]:
    """The places of the labels in one frame after the other; each frame has faces, and boxes that are taken."""
    history: list[list[LabelPlace | None]] = []
    before: list[Placed | None] = []
    for faces, taken in frames:
        before += [None] * (len(faces) - len(before))
        places = place_labels(faces, [forms] * len(faces), picture, taken, before)
        before = [(place, face) if place else None for place, face in zip(places, faces, strict=True)]
        history.append(places)
    return history


def changes(history: list[list[LabelPlace | None]]) -> int:
    """How often a label gets another slot or another form."""
    kinds = [[place and (place.slot, place.form) for place in places] for places in history]
    return sum(a != b for first, second in pairwise(kinds) for a, b in zip(first, second, strict=True))


TREMBLING = [round(3 * np.sin(2.1 * index) + 2 * np.cos(3.7 * index)) for index in range(60)]
"""Pixels by which a box is off in each frame."""


@pytest.mark.parametrize(
    ("face", "taken"),
    [
        pytest.param(Box(200, 12, 100, 100), [], id="near the upper edge"),
        pytest.param(Box(200, 10, 100, 462), [], id="from edge to edge"),
        pytest.param(Box(200, 200, 100, 100), [Box(0, 160, 640, 20)], id="something above"),
        pytest.param(Box(200, 200, 100, 100), [Box(0, 160, 640, 20), Box(0, 320, 640, 20)], id="something above and below"),
        pytest.param(Box(200, 200, 100, 100), [Box(288, 100, 300, 300)], id="room for the short form only"),
        pytest.param(Box(200, 200, 60, 14), [Box(0, 160, 640, 20), Box(0, 234, 640, 20)], id="beside or away"),
    ],
)
def test_a_label_does_not_jump_while_the_box_trembles(face: Box, taken: list[Box]) -> None:
    for across, down in ((1, 0), (0, 1), (1, 1)):
        history = follow([([face.moved(across * by, down * by)], taken) for by in TREMBLING], [SIZE, (60, 20), (45, 14)])
        assert changes(history[1:]) <= 1
        assert changes(history[30:]) == 0


def test_labels_of_a_trembling_crowd_come_to_rest() -> None:
    forms, jumps, jumps_alone = [SIZE, (60, 20), (45, 14)], 0, 0
    for seed in range(4):
        random = np.random.default_rng(seed)
        faces = crowd(14, seed, PICTURE)
        frames: list[tuple[list[Box], list[Box]]] = [
            ([face.moved(*random.integers(-2, 3, 2).tolist()) for face in faces], []) for _ in range(60)
        ]
        history = follow(frames, forms)
        jumps += changes(history[20:])
        jumps_alone += changes([place_labels(moved, [forms] * len(faces), PICTURE) for moved, _ in frames[20:]])
        for (moved, _), places in zip(frames, history, strict=True):
            boxes = [place.box for place in places if place]
            assert_no_other_face_is_covered(moved, places)
            assert not any(intersections([first], [second]).any() for first, second in combinations(boxes, 2))
    assert jumps_alone > 40
    assert jumps <= jumps_alone / 10


def test_somebody_new_moves_no_label() -> None:
    old, new = Box(200, 200, 100, 100), Box(240, 60, 100, 100)
    # Whose label stands below the newcomer, who comes first in the list.
    before: Placed = LabelPlace(0, Box(210, 180, 90, 20), 1), old
    places = place_labels([new, old], [[SIZE], [SIZE]], PICTURE, [Box(0, 0, 640, 60)], [None, before])
    assert places[1] == before[0]
    assert places[0] is not None
    assert intersections([places[0].box], [before[0].box]).sum() == 0


def test_a_label_leaves_the_face_once_there_is_space_around_a_place_beside_it() -> None:
    face = Box(200, 200, 100, 100)
    wall = [Box(0, 160, 640, 20), Box(0, 300, 640, 100)]
    for gap, slot in ((1, 4), (5, 4), (9, 4), (12, 0)):
        inside: Placed = LabelPlace(0, Box(200, 200, 90, 20), 4), face
        [place] = place_labels([face], [[SIZE]], PICTURE, [wall[0].moved(0, -gap), wall[1]], [inside])
        assert place is not None
        assert place.slot == slot


def test_a_label_away_from_its_face_moves_along() -> None:
    faces = [Box(300, 200, 40, 14), Box(250, 180, 50, 60), Box(340, 180, 50, 60), Box(250, 130, 140, 50), Box(250, 240, 140, 50)]
    forms = [[SIZE], [], [], [], []]
    [first, *_] = place_labels(faces, forms, PICTURE)
    assert first is not None
    assert first.slot is None
    moved = [face.moved(7, 5) for face in faces]
    [second, *_] = place_labels(moved, forms, PICTURE, before=[(first, faces[0]), None, None, None, None])
    assert second == LabelPlace(0, first.box.moved(7, 5), None)
