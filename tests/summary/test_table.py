"""The measures, worked out by hand and compared with the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emodetect.errors import UsageError
from emodetect.report.page import Report, render
from emodetect.summary.figure import ShareFigure
from emodetect.summary.table import COLUMNS, Row, TableSettings
from emodetect.types import EMOTIONS, Emotion
from tests.builders import make_scores
from tests.summary.logs import A, H, N, frames, timeline

DOUBT = (H,)

ONE = [H, H, H, DOUBT, A, A, A, A, None, None, None, None, N, N, N, N, DOUBT, DOUBT, N, A]
"""20 frames of 0.25 s. Seen: 16, or 4 s. Certain: 13, or 3.25 s: happy 0.75, angry 1.25, neutral 1.25.

Bouts of at least 0.4 s: happy from 0 s (0.75 s), angry from 1 s (1 s), neutral from 3 s (1 s, and 0.25 s more after the doubt);
the last angry one is too short. Changes: to angry at 1 s, to neutral at 3 s.
"""


def rows(
    *people: list[Emotion | tuple[Emotion] | None], settings: TableSettings | None = None, count: int | None = None
) -> list[Row]:
    return [*(settings or TableSettings()).rows("a.jsonl", timeline(frames(*people), count))]


def only(table: list[Row], emotion: Emotion, **wanted: object) -> Row:
    (row,) = (row for row in table if row["emotion"] == emotion.value and wanted.items() <= row.items())
    return row


def test_each_measure_is_that_which_was_worked_out_by_hand() -> None:
    table = rows(ONE)

    assert [row["emotion"] for row in table] == [emotion.value for emotion in EMOTIONS]
    assert list(table[0]) == [column for column in COLUMNS if not column.startswith("bin_")]
    for row in table:
        assert (row["input"], row["person"]) == ("a.jsonl", 1)
        assert (row["seconds_input"], row["seconds_seen"], row["seconds_certain"]) == (5, 4, 3.25)
        assert row["share_uncertain"] == 0.1875
        assert row["changes_per_minute"] == 2 * 60 / 4
    happy, angry, neutral, sad = (only(table, emotion) for emotion in (H, A, N, Emotion.SAD))
    assert (happy["seconds"], happy["share"], happy["bouts"], happy["mean_bout"]) == (0.75, 0.230769, 1, 0.75)
    assert (angry["seconds"], angry["share"], angry["bouts"], angry["mean_bout"]) == (1.25, 0.384615, 1, 1)
    assert (neutral["seconds"], neutral["share"], neutral["bouts"], neutral["mean_bout"]) == (1.25, 0.384615, 1, 1.25)
    assert (sad["seconds"], sad["share"], sad["bouts"], sad["mean_bout"]) == (0, 0, 0, None)
    certain, doubt = ({emotion: make_scores(emotion, 0.7) for emotion in (H, A, N)}, make_scores(H, 0.4))
    expected = sum(n * certain[e][N] for e, n in ((H, 3), (A, 5), (N, 5))) + 3 * doubt[N]
    assert neutral["mean_score"] == pytest.approx(expected / 16, abs=1e-6)


def test_bins_hold_the_parts_that_are_in_them() -> None:
    """Of 2 s: the first holds all of happy and angry, the second the absence and the beginning of neutral."""
    table = rows(ONE, settings=TableSettings(bin_seconds=2))

    assert len(table) == 3 * 7
    assert "share_low" not in table[0]
    assert [(row["bin_start"], row["bin_end"]) for row in table[::7]] == [(0, 2), (2, 4), (4, 6)]
    assert [row["seconds_input"] for row in table[::7]] == [2, 2, 1]
    assert [row["seconds_seen"] for row in table[::7]] == [2, 1, 1]
    assert [row["changes_per_minute"] for row in table[::7]] == [30, 60, 0]
    assert [only(table, A, bin_start=start)["share"] for start in (0.0, 2.0, 4.0)] == [0.571429, 0, 0.5]
    assert [only(table, N, bin_start=start)["bouts"] for start in (0.0, 2.0, 4.0)] == [0, 1, 0]
    assert only(table, N, bin_start=2.0)["mean_bout"] == 1.25, "all of it, also what is after the bin"
    whole = rows(ONE)
    for emotion in EMOTIONS:
        parts = [row for row in table if row["emotion"] == emotion.value]
        for column in ("seconds", "bouts", "seconds_certain"):
            assert sum(float(row[column] or 0) for row in parts) == only(whole, emotion)[column]


def test_a_bin_may_cut_a_frame_and_one_without_the_person_has_no_share() -> None:
    table = rows(ONE, settings=TableSettings(bin_seconds=0.4))

    assert [row["seconds_seen"] for row in table[::7]] == pytest.approx([0.4] * 5 + [0, 0, 0.2] + [0.4] * 4 + [0.2])
    nobody = only(table, A, bin_start=2.0)
    assert (nobody["share"], nobody["share_uncertain"], nobody["mean_score"], nobody["seconds"]) == (None, None, None, 0)
    assert nobody["seconds_input"] == 0.4


def test_holes_of_a_log_are_in_no_bin() -> None:
    """The frame before one counts for a second, as in the report."""
    results = [*frames([H] * 4), *frames([H] * 4, start=100.0)]
    table = [*TableSettings(bin_seconds=1).rows("a", timeline(results))]

    assert [row["bin_start"] for row in table[::7]] == [0, 1, 100]
    assert [row["seconds_input"] for row in table[::7]] == [1, 1, 1]
    assert next(TableSettings().rows("a", timeline(results)))["seconds_input"] == 3


def test_no_bin_gets_what_rounding_leaves() -> None:
    """0.1 has no exact float: 3 * 0.1 is not 0.3."""
    results = frames([H, H, H, A, A, A, A, N, N, N], step=0.1)
    table = [*TableSettings(bin_seconds=0.1).rows("a", timeline(results))]

    assert len(table) == 70
    assert [row["seconds_seen"] for row in table[::7]] == [0.1] * 10
    assert [row["share"] for row in table if row["emotion"] == "happy"] == [1] * 3 + [0] * 7
    assert [row["bouts"] for row in table if row["emotion"] == "angry"] == [0] * 3 + [1] + [0] * 6


def test_too_many_bins_are_refused() -> None:
    with pytest.raises(UsageError, match="more than 1,000,000"):
        list(TableSettings(bin_seconds=0.001).rows("a", timeline([*frames([H]), *frames([H], start=2000.0)])))


def test_the_table_agrees_with_the_report_of_the_same_log() -> None:
    made = timeline(frames(ONE, [None, *[N] * 12, DOUBT, A, A]))
    table = [*TableSettings().rows("a", made)]

    text, _ = render(Report("a", made))
    for person in made.people():
        assert f"Person {person.track_id}" in text
        own = [row for row in table if row["person"] == person.track_id]
        assert {row["seconds_seen"] for row in own} == {round(person.seconds, 6)}
        for share in person.shares():
            row = only(own, share.emotion)
            assert row["seconds"] == pytest.approx(share.seconds * (1 - share.uncertain))


def test_an_input_without_anybody_keeps_its_row() -> None:
    (row,) = rows([None] * 4)
    assert (row["input"], row["person"], row["emotion"], row["seconds_input"], row["seconds_seen"]) == (
        "a.jsonl",
        None,
        None,
        1,
        0,
    )


def test_a_photo_has_shares_and_no_seconds() -> None:
    table = [*TableSettings().rows("a.jpg", timeline(frames([H], [DOUBT])), is_photo=True)]

    assert len(table) == 14
    assert (only(table, H, person=1)["share"], only(table, A, person=1)["share"]) == (1, 0)
    assert (only(table, H, person=2)["share"], only(table, H, person=2)["share_uncertain"]) == (None, 1)
    assert {row["seconds_seen"] for row in table} == {row["bouts"] for row in table} == {None}


def test_intervals_hold_the_share_and_come_out_the_same_each_time() -> None:
    generator = np.random.default_rng(1)
    bouts = np.repeat(generator.integers(0, 3, 60), generator.integers(2, 12, 60)).tolist()
    emotions: list[Emotion | tuple[Emotion] | None] = [(H, A, N)[number] for number in bouts]
    table = rows(emotions, settings=TableSettings(block=2))

    assert table == rows(emotions, settings=TableSettings(block=2))
    for emotion in (H, A, N):
        row = only(table, emotion)
        low, share, high = (row[name] for name in ("share_low", "share", "share_high"))
        assert isinstance(low, float)
        assert isinstance(share, float)
        assert isinstance(high, float)
        assert 0 < low < share < high < 1
        assert high - low > 2 * 1.96 * (share * (1 - share) / len(emotions)) ** 0.5, "neighbors are alike: wider than of draws"
    assert only(table, Emotion.SAD)["share_low"] is None


def test_too_little_time_has_no_interval() -> None:
    """Six blocks are needed: of 1 s, the 4 s do not have them."""
    assert only(rows(ONE, settings=TableSettings(block=1)), A)["share_low"] is None
    assert only(rows(ONE, settings=TableSettings(block=0.4)), A)["share_low"] is not None


def test_a_figure_over_time_leaves_photos_out(tmp_path: Path) -> None:
    figure = ShareFigure()
    for start, end in ((None, None), (0.0, 1.0), (1.0, 2.0)):
        for emotion in EMOTIONS:
            row: Row = {"input": "a", "person": 1, "emotion": emotion.value, "share": 0.5, "bin_start": start, "bin_end": end}
            figure.add(row)
    figure.save(tmp_path / "a.svg")
    assert "time (s)" in (tmp_path / "a.svg").read_text()
