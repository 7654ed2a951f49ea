from __future__ import annotations

import pytest

from emodetect.report.joining import JoinedPeople
from emodetect.types import Box, Emotion
from tests.builders import make_reading, make_result
from tests.summary.logs import timeline

Face = tuple[int, int]
"""Number and left edge; a face is 100 pixels wide."""

LEFT, RIGHT = 0, 500


def joined(*frames: list[Face], count: int | None) -> JoinedPeople:
    """Frames of 0.25 s with these faces; the emotion follows the number."""
    results = []
    for index, faces in enumerate(frames):
        readings = [make_reading(Box(x, 0, 100, 100), n, [*Emotion][n]) for n, x in faces]
        results.append(make_result(*readings, index=index, timestamp=index / 4))
    return timeline(results, count).joined()


def who(people: JoinedPeople) -> dict[int, list[float]]:
    """When each person is seen."""
    return {person.track_id: person.starts.tolist() for person in people.people}


def test_the_numbers_of_one_person_are_joined() -> None:
    people = joined([(1, LEFT)], [(1, LEFT)], [], [(2, RIGHT)], [], [(3, LEFT)], count=1)

    (person,) = people.people
    assert (person.track_id, person.starts.tolist()) == (1, [0, 0.25, 0.75, 1.25])
    assert [[*Emotion][place] for place in (1, 1, 2, 3)] == [[*Emotion][place] for place in person.emotions]
    assert [(run.start, run.end) for run in person.runs()] == [(0, 0.5), (0.75, 1), (1.25, 1.5)]
    assert str(people) == "3 numbers taken for 1 person"


def test_nothing_is_joined_unasked_or_where_there_are_no_more_numbers_than_people() -> None:
    frames = [[(1, LEFT)], [(2, LEFT)]]
    for count in (None, 2, 3):
        people = joined(*frames, count=count)
        assert who(people) == {1: [0], 2: [0.25]}
        assert str(people) == ""


def test_who_was_there_meanwhile_is_somebody_else() -> None:
    """The only one who was away comes back, wherever that is."""
    people = joined([(1, LEFT), (2, RIGHT)], [(2, RIGHT)], [(2, RIGHT), (3, RIGHT)], count=2)

    assert who(people) == {1: [0, 0.5], 2: [0, 0.25, 0.5]}
    assert str(people) == "3 numbers taken for 2 people"


def test_of_two_who_were_away_the_nearer_one_comes_back_and_that_is_said() -> None:
    people = joined([(1, LEFT), (2, RIGHT)], [], [(3, RIGHT + 20)], [(3, RIGHT), (4, LEFT + 20)], count=2)

    assert who(people) == {1: [0, 0.75], 2: [0, 0.5, 0.75]}
    assert str(people) == "4 numbers taken for 2 people; who came back is a guess 1 time: the one last seen nearest"


def test_somebody_at_another_place_may_be_new() -> None:
    people = joined([(1, LEFT)], [], [(2, RIGHT)], [], [(3, LEFT)], count=2)

    assert who(people) == {1: [0, 1], 2: [0.5]}
    assert people.guesses == 2


def test_of_more_faces_than_people_the_one_seen_longest_counts() -> None:
    people = joined([(1, LEFT)], [(1, LEFT), (2, RIGHT)], [(1, LEFT)], [(3, LEFT)], [(3, LEFT), (4, LEFT)], [(4, LEFT)], count=1)

    (person,) = people.people
    assert person.starts.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25]
    assert person.emotions.tolist() == [1, 1, 1, 3, 3, 4]
    assert str(people) == "4 numbers taken for 1 person; 0.5 s of further faces at the same time left out"


@pytest.mark.parametrize("count", [1, 2])
def test_no_face_is_counted_twice(count: int) -> None:
    frames = [[(number, 60 * number) for number in range(1, 7) if (frame * number) % 5 < 3] for frame in range(40)]
    people = joined(*frames, count=count)

    assert len(people.people) == count
    for person in people.people:
        assert len({*person.starts.tolist()}) == len(person.starts)
        assert person.scores.shape == (len(person.starts), 7)
        assert person.boxes.shape == (len(person.starts), 4)
    everything = sum(len(frame) for frame in frames) * 0.25
    assert sum(person.seconds for person in people.people) + people.left_out == pytest.approx(everything)
