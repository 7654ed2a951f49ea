from __future__ import annotations

import pytest

from emodetect.report.timeline import Timeline
from emodetect.types import Box, Emotion, FaceReading
from tests.builders import make_reading, make_result

A, H, N = Emotion.ANGRY, Emotion.HAPPY, Emotion.NEUTRAL


def timeline_of(emotions: list[Emotion | None], uncertain: set[int] | None = None, step: float = 0.2) -> Timeline:
    """One person; None is a frame without a face."""
    timeline = Timeline()
    for index, emotion in enumerate(emotions):
        faces = [] if emotion is None else [make_reading(dominant=emotion, uncertain=index in (uncertain or ()))]
        timeline.add(make_result(*faces, index=index, timestamp=index * step))
    return timeline


def test_runs_end_where_the_emotion_changes_or_the_face_goes() -> None:
    (person,) = timeline_of([H, H, A, None, A, A], uncertain={5}).people()

    runs = [(run.emotion, run.uncertain, round(run.start, 3), round(run.end, 3)) for run in person.runs()]
    assert runs == [(H, False, 0, 0.4), (A, False, 0.4, 0.6), (A, False, 0.8, 1.0), (A, True, 1.0, 1.2)]


def test_a_frame_lasts_until_the_next_whatever_the_rate() -> None:
    timeline = Timeline()
    for index, (time, emotion) in enumerate([(1.0, H), (1.1, A), (1.9, H), (2.0, H)]):
        timeline.add(make_result(make_reading(dominant=emotion), index=index, timestamp=time))
    (person,) = timeline.people()

    assert (timeline.start, timeline.end) == pytest.approx((1.0, 2.1))
    angry, happy = person.shares()
    assert (angry.emotion, happy.emotion) == (A, H)
    assert (angry.seconds, angry.share, angry.uncertain) == pytest.approx((0.8, 0.8 / 1.1, 0))
    assert (happy.seconds, happy.share, happy.uncertain) == pytest.approx((0.3, 0.3 / 1.1, 0))


def test_shares_say_how_much_is_uncertain() -> None:
    (person,) = timeline_of([H, H, H, H], uncertain={0}).people()

    (share,) = person.shares()
    assert (share.share, share.uncertain) == pytest.approx((1, 0.25))


@pytest.mark.parametrize(
    ("emotions", "uncertain", "changes"),
    [
        pytest.param([H] * 5, set(), [], id="none"),
        pytest.param([H, H, H, A, A, A], set(), [(0.6, H, A)], id="one"),
        pytest.param([H, H, H, A, H, H, H], set(), [], id="a flicker"),
        pytest.param([H, H, H, A, A, A, H, H, H], {3, 4, 5}, [], id="uncertain"),
        pytest.param([H, H, None, N, N], set(), [(0.6, H, N)], id="after a gap"),
        pytest.param([H, A, H, A, A], set(), [], id="too short to come from"),
    ],
)
def test_a_change_is_certain_and_lasts(
    emotions: list[Emotion | None], uncertain: set[int], changes: list[tuple[float, Emotion, Emotion]]
) -> None:
    (person,) = timeline_of(emotions, uncertain).people()

    assert [(round(change.time, 6), change.before, change.after) for change in person.changes()] == changes


def test_people_are_kept_apart_and_who_was_never_read_is_left_out() -> None:
    timeline = Timeline()
    timeline.add(make_result(make_reading(track_id=5), make_reading(track_id=2), FaceReading(Box(0, 0, 9, 9), 7, None)))

    assert [person.track_id for person in timeline.people()] == [2, 5]
    assert timeline.end > timeline.start


def test_the_best_view_is_certain_large_and_sure() -> None:
    timeline = Timeline()
    small, large, larger = Box(0, 0, 40, 40), Box(1, 1, 90, 90), Box(2, 2, 200, 200)
    for index, reading in enumerate(
        [make_reading(small, confidence=0.9), make_reading(large, confidence=0.8), make_reading(larger, uncertain=True)]
    ):
        timeline.add(make_result(reading, index=10 + index, timestamp=float(index)))
    (person,) = timeline.people()

    assert (person.best_frame, person.best_box) == (11, large)


def test_an_empty_timeline_has_nobody() -> None:
    assert Timeline().people() == []
    assert Timeline().end == 0
