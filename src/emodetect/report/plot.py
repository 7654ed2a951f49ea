"""A picture of who showed what when."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emodetect.errors import OutputError
from emodetect.files import written_whole
from emodetect.overlay import COLORS
from emodetect.report.timeline import Person, Timeline
from emodetect.text import one_line
from emodetect.types import EMOTIONS

_MOST_PEOPLE = 12
"""Of a picture; those who were seen longest."""

_WIDTH, _LANE, _MARGINS = 10.0, 0.28, 0.75
"""Inches: of the picture, of an emotion's lane, and around the lanes of a person."""


def plot_timeline(timeline: Timeline, name: str, path: Path, *, overwrite: bool = False) -> None:
    """Draw a band an emotion and person: where it is filled, the emotion was read; its height is the confidence.

    Args:
        timeline: what was read.
        name: what it was read off, for the title.
        path: picture file to write.
        overwrite: whether it may be replaced.

    Raises:
        OutputError: it cannot be written.
    """
    everybody = timeline.people()
    people = sorted(sorted(everybody, key=lambda person: -person.seconds)[:_MOST_PEOPLE], key=lambda person: person.track_id)
    heights = [_MARGINS + _LANE * len(person.shares()) for person in people] or [1.5]
    figure = Figure(figsize=(_WIDTH, 0.5 + sum(heights)), dpi=110, layout="constrained")
    rest = f" ({len(people)} of {len(everybody)} people)" if len(people) < len(everybody) else ""
    figure.suptitle(one_line(name) + rest, parse_math=False)
    rows = np.ravel(figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}))
    for axes, person in zip(rows, people, strict=False):
        _draw_person(axes, person)
    if not people:
        rows[0].set_yticks([])
        rows[0].text(0.5, 0.5, "no face found", ha="center", va="center", transform=rows[0].transAxes)
    rows[-1].set(xlim=(timeline.start, max(timeline.end, timeline.start + timeline.step)), xlabel="seconds")
    with written_whole(path, overwrite=overwrite) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of a name in letters that the font lacks
        try:
            figure.savefig(partial)
        except ValueError as error:
            raise OutputError(f"{path}: cannot be written ({error})") from error


def _draw_person(axes: Axes, person: Person) -> None:
    shown = {share.emotion: share.share for share in person.shares()}
    # From below upwards, so that the first label stands at the top.
    lanes = {emotion: number for number, emotion in enumerate(reversed([emotion for emotion in EMOTIONS if emotion in shown]))}
    for run in person.runs():
        blue, green, red = COLORS[run.emotion]
        confidences = person.confidences[run.samples]
        lane = lanes[run.emotion]
        axes.fill_between(
            [*person.starts[run.samples], run.end],
            lane,
            lane + 0.9 * np.append(confidences, confidences[-1]),
            step="post",
            facecolor=(red / 255, green / 255, blue / 255, 0.35 if run.uncertain else 1),
            edgecolor=(0.3, 0.3, 0.3),
            hatch="////" if run.uncertain else None,
            linewidth=0.4,
        )
    axes.set_yticks([lane + 0.45 for lane in lanes.values()], [f"{emotion} {shown[emotion]:.0%}" for emotion in lanes])
    axes.set(ylim=(0, len(lanes)), title=f"person {person.track_id}")
    axes.title.set_fontsize("medium")
    for lane in range(1, len(lanes)):
        axes.axhline(lane, color="0.85", linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
