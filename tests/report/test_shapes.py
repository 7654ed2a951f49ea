from __future__ import annotations

import pytest

from emodetect.report.shapes import COLUMNS, Shape, shapes
from emodetect.report.timeline import Timeline
from emodetect.types import Emotion
from tests.builders import make_reading, make_result
from tests.report.test_timeline import A, H


def shapes_of(emotions: list[Emotion], uncertain: set[int] | None = None) -> list[Shape]:
    """Those of one person, read at 10 frames a second with a confidence of 0.8."""
    timeline = Timeline()
    for index, emotion in enumerate(emotions):
        reading = make_reading(dominant=emotion, confidence=0.8, uncertain=index in (uncertain or ()))
        timeline.add(make_result(reading, index=index, timestamp=index / 10))
    (person,) = timeline.people()
    return list(shapes(person, timeline.start, timeline.end))


def area(shape: Shape) -> float:
    return float((shape.heights * (shape.edges[1:] - shape.edges[:-1])).sum())


def test_long_runs_stand_alone() -> None:
    happy, angry = shapes_of([H] * 10 + [A] * 10)

    assert happy.run is not None
    assert (happy.emotion, happy.edges[0], happy.edges[-1]) == (H, 0, pytest.approx(1))
    assert happy.heights == pytest.approx([0.8] * 10)
    assert (angry.emotion, angry.edges[0], angry.edges[-1]) == (A, pytest.approx(1), pytest.approx(2))


def test_short_runs_are_summed_up_as_high_as_the_share_of_time_they_took() -> None:
    """An hour of changes every second, two thirds of it happy: columns of 7.2 s."""
    angry, happy = shapes_of(([H] * 20 + [A] * 10) * 1200)

    assert (happy.run, angry.run) == (None, None)
    assert len(happy.heights) == COLUMNS
    assert (area(happy), area(angry)) == pytest.approx((0.8 * 2400, 0.8 * 1200))
    assert 0.4 < happy.heights.min() <= happy.heights.max() < 0.7


def test_what_is_uncertain_is_summed_up_apart() -> None:
    emotions = ([H] * 5 + [A] * 5) * 1000

    found = shapes_of(emotions, uncertain=set(range(5000, 10_000)))

    assert [(shape.emotion, shape.uncertain) for shape in found] == [(A, False), (A, True), (H, False), (H, True)]
    assert all(area(shape) == pytest.approx(0.8 * 250) for shape in found)


def test_a_run_of_many_samples_has_few_steps() -> None:
    (happy,) = shapes_of([H] * 30_000)

    assert COLUMNS <= len(happy.heights) <= 3 * COLUMNS
