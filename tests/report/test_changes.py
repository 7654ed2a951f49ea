from __future__ import annotations

import pytest

from emodetect.report.changes import Change, changes
from emodetect.types import Emotion
from tests.report.test_timeline import A, H, N, timeline_of

AWAY = [None] * 10


@pytest.mark.parametrize(
    ("emotions", "uncertain", "expected"),
    [
        pytest.param([H] * 5, set(), [], id="none"),
        pytest.param([H, H, H, A, A, A], set(), [Change(0.6, H, A)], id="one"),
        pytest.param([H, H, H, A, H, H, H], set(), [], id="a flicker"),
        pytest.param([H, H, H, A, A, A, H, H, H], {3, 4, 5}, [], id="uncertain"),
        pytest.param([H, H, None, N, N], set(), [Change(0.6, H, N)], id="after a gap"),
        pytest.param([H, H, None, None, N, N], set(), [Change(0.8, H, N, absent=True)], id="after an absence"),
        pytest.param([H, H, A, N, N], set(), [Change(0.6, H, N)], id="with a flicker between"),
        pytest.param([H, A, A], set(), [Change(0.2, None, A)], id="the first that lasts, after a flicker"),
        pytest.param([H, H, H], {0}, [Change(0.2, None, H)], id="the first that lasts, after doubt"),
        pytest.param([H, A, H, A, A], set(), [Change(0.6, None, A)], id="too short to come from"),
        pytest.param([N, N, H, *AWAY, H, N, N], set(), [], id="blips before and after an absence"),
        pytest.param([N, N, H, None, H, N, N], set(), [Change(0.4, N, H), Change(1.0, H, N)], id="a face lost for a moment"),
        pytest.param([N, N, *AWAY, N, N], set(), [], id="the same after an absence"),
        pytest.param([A, H] * 5, set(), [], id="nothing lasts"),
    ],
)
def test_a_change_is_certain_and_lasts(emotions: list[Emotion | None], uncertain: set[int], expected: list[Change]) -> None:
    (person,) = timeline_of(emotions, uncertain).people()

    found = changes(person)
    assert [(change.before, change.after, change.absent) for change in found] == [
        (change.before, change.after, change.absent) for change in expected
    ]
    assert [change.time for change in found] == pytest.approx([change.time for change in expected])
