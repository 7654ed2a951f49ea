"""Plot of the emotions of each person over time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from emodetect.drawing.lettering import FallbackLettering, FontLettering
from emodetect.drawing.palette import ON_PAPER
from emodetect.drawing.phrases import Phrase
from emodetect.drawing.style import Style
from emodetect.errors import OutputError
from emodetect.report.person import Person
from emodetect.report.shapes import shapes
from emodetect.report.ticks import ticks
from emodetect.report.timeline import Timeline
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import caption
from emodetect.types import EMOTIONS

_MAX_PEOPLE = 12
"""Maximum number of people in a plot: those seen longest."""

_WIDTH, _LANE, _MARGINS = 10.0, 0.28, 0.75
"""Inches: width of the plot, height of an emotion's lane, and the space around the lanes of a person."""

_MINUTE = 60.0
"""Length of a timeline, seconds, from which its labels have minutes."""

_OUTLINE = "0.15"
"""Color of outlines. Each emotion's color has a contrast of at least 3:1 to it or to the white background."""


def plot_timeline(timeline: Timeline, name: str, path: Path, *, style: Style | None = None, overwrite: bool = False) -> None:
    """Draw one band per person and emotion, filled where the emotion was read; its height is the confidence.

    Args:
        timeline: results over time.
        name: name of the clip, for the title.
        path: image file to write.
        style: language and lettering, as from `with_letters_for` for the name; None for English and Matplotlib's own font.
        overwrite: whether the file may be replaced.

    Raises:
        OutputError: the file cannot be written.
    """
    style = style or Style()
    with mpl.rc_context({"font.family": list(_families(style))}):
        _save(_figure(timeline, name, style), path, overwrite=overwrite)


def _figure(timeline: Timeline, name: str, style: Style) -> Figure:
    everybody = timeline.people()
    people = everybody[:_MAX_PEOPLE]
    heights = [_MARGINS + _LANE * len(person.shares()) for person in people] or [1.5]
    figure = Figure(figsize=(_WIDTH, 0.5 + sum(heights)), dpi=110, layout="constrained")
    rest = f" ({style.format(Phrase.SOME_PEOPLE, shown=len(people), all=len(everybody))})" if len(people) < len(everybody) else ""
    figure.suptitle(caption(name) + rest, parse_math=False)
    rows = np.ravel(figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}))
    ends = timeline.start, max(timeline.end, timeline.start + timeline.step)
    for axes, person in zip(rows, people, strict=False):
        _draw_person(axes, person, ends, style)
    if not people:
        rows[0].set_yticks([])
        rows[0].text(0.5, 0.5, style.format(Phrase.NO_FACE), ha="center", va="center", transform=rows[0].transAxes)
    _draw_times(rows[-1], ends, style)
    if people:
        figure.supxlabel(style.format(Phrase.PLOT_EXPLAINED), fontsize="small", color="0.35")
    return figure


def _draw_times(axes: Axes, ends: tuple[float, float], style: Style) -> None:
    """Draw the time axis below the lowest timeline: seconds, or minutes and hours for a long one."""
    times = ticks(*ends)
    axes.set(xlim=ends)
    if ends[1] - ends[0] < _MINUTE:
        axes.set_xticks([time for time, _ in times], [f"{time:g}" for time, _ in times])
        axes.set(xlabel=style.format(Phrase.SECONDS))
    else:
        axes.set_xticks([time for time, _ in times], [label for _, label in times])


def _save(figure: Figure, path: Path, *, overwrite: bool) -> None:
    picture = BytesIO()  # Matplotlib leaves files open if the disk is full
    with atomic_write(path, overwrite=overwrite) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the font may lack letters of the name
        try:
            figure.savefig(picture, format=path.suffix[1:])
        except ValueError as error:
            raise OutputError(f"{path}: cannot be written ({error})") from error
        partial.write_bytes(picture.getvalue())


def _families(style: Style) -> Iterator[str]:
    """Matplotlib's names of the style's fonts, the preferred one first, and of its own font."""
    if isinstance(style.lettering, FallbackLettering):
        for font in style.lettering.fonts:
            yield _family(font)
    yield "sans-serif"


def _family(font: FontLettering) -> str:
    """Matplotlib's name of a font, which is registered if necessary."""
    path = str(font.path)
    if all(entry.fname != path for entry in fontManager.ttflist):
        fontManager.addfont(path)
    names = [entry.name for entry in fontManager.ttflist if entry.fname == path]
    # Versions before 3.11 know only the first font of a collection. Its fonts mostly have the same letters in other shapes.
    return font.family if font.family in names else names[0]


def _draw_person(axes: Axes, person: Person, ends: tuple[float, float], style: Style) -> None:
    shown = {share.emotion: share.share for share in person.shares()}
    # From bottom to top, so that the first label is at the top.
    lanes = {emotion: number for number, emotion in enumerate(reversed([emotion for emotion in EMOTIONS if emotion in shown]))}
    for shape in shapes(person, *ends):
        blue, green, red = ON_PAPER[shape.emotion]
        lane = lanes[shape.emotion]
        axes.fill_between(
            shape.edges,
            lane,
            lane + 0.9 * np.append(shape.heights, shape.heights[-1]),
            step="post",
            facecolor=(red / 255, green / 255, blue / 255, 0.35 if shape.uncertain else 1),
            edgecolor=_OUTLINE if shape.run else "none",
            hatch="////" if shape.uncertain and shape.run else None,
            linewidth=0.5 if shape.run else 0,
        )
    labels = [f"{style.name(emotion)} {shown[emotion]:.0%}" for emotion in lanes]
    axes.set_yticks([lane + 0.45 for lane in lanes.values()], labels)
    axes.set(ylim=(0, len(lanes)), title=style.format(Phrase.PERSON, number=person.track_id))
    axes.title.set_fontsize("medium")
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    for lane in range(1, len(lanes)):
        axes.axhline(lane, color="0.8", linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
