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


def test_mostly_counts_certain_time_only() -> None:
    (person,) = timeline_of([H, H, H, A], uncertain={0, 1, 2}).people()
    assert person.dominant() is A
    (person,) = timeline_of([H, H], uncertain={0, 1}).people()
    assert person.dominant() is None


@pytest.mark.parametrize(("clip_end", "end"), [(0.0, 0.84), (0.92, 0.92), (9.0, 1.0), (0.5, 0.84)])
def test_the_end_does_not_overshoot_where_frames_were_left_out(clip_end: float, end: float) -> None:
    """Every fifth frame of a clip of 25 a second; the last one that was read is at 0.8 s."""
    timeline = Timeline(clip_end)
    for index in range(0, 25, 5):
        timeline.add(make_result(make_reading(), index=index, timestamp=index / 25))

    assert timeline.end == pytest.approx(end)


def test_a_hole_in_a_log_is_no_emotion() -> None:
    timeline = Timeline()
    for index, time in enumerate([0.0, 0.1, 0.2, 600.0, 600.1]):
        timeline.add(make_result(make_reading(), index=index, timestamp=time))
    (person,) = timeline.people()

    assert person.seconds == pytest.approx(0.2 + 1.0 + 0.2)
    assert [time for run in person.runs() for time in (run.start, run.end)] == pytest.approx([0, 1.2, 600, 600.2])


def test_people_come_longest_first_and_who_was_never_read_is_left_out() -> None:
    timeline = Timeline()
    never = FaceReading(Box(0, 0, 9, 9), 7, None)
    timeline.add(make_result(make_reading(track_id=5), make_reading(track_id=2), make_reading(track_id=1), never))
    timeline.add(make_result(make_reading(track_id=5), index=1, timestamp=0.1))

    assert [person.track_id for person in timeline.people()] == [5, 1, 2]
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
