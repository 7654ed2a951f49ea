"""Figure for a paper: shares of time, or their course over time."""

from __future__ import annotations

from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from emodetect.errors import OutputError
from emodetect.settings.summary import FIGURE_SIZE
from emodetect.summary.table import Row
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import caption
from emodetect.types import EMOTIONS

_MAX_NAMED = 6
"""Maximum number of people with their own marker; for more the figure shows the distribution."""

_MARKERS = "os^Dv<"

_GRAYS = "0", "0.5", "0.25", "0.65", "0.1", "0.4"

# Colors of Okabe and Ito, which are distinct with color blindness, each with a dash style for print without color.
_LINES = (
    ("#D55E00", "-"), ("#009E73", (0, (1, 1))), ("#CC79A7", (0, (4, 1))), ("#E69F00", "-"), ("#0072B2", (0, (4, 1, 1, 1))),
    ("#56B4E9", (0, (6, 2))), ("0.4", "-"),
)  # fmt: skip

_STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "pdf.fonttype": 42,  # embedded fonts, as required by journals
    "svg.fonttype": "none",
    "svg.hashsalt": "emodetect",
}

_MM = 1 / 25.4
"""Inches per millimeter."""


class ShareFigure:
    """Collects the rows of a summary and draws them.

    Without bins it shows each emotion's share of the certain time: up to six people with their intervals, otherwise the
    distribution over the people with its quartiles and median. With bins it shows the course of each share, the mean over the
    people.

    Args:
        size: width and height, mm.
    """

    def __init__(self, size: tuple[float, float] = FIGURE_SIZE) -> None:
        self._size = size
        self._shares: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
        self._width = 0.0
        self._course: dict[int, list[list[float]]] = defaultdict(lambda: [[] for _ in EMOTIONS])

    def add(self, row: Row) -> None:
        """Add a row of the table; those without a share are ignored, and with bins those of photos, which have no time."""
        share, emotion = row["share"], row["emotion"]
        if not isinstance(share, float) or emotion is None:
            return
        if "bin_start" in row:
            start, end = row["bin_start"], row["bin_end"]
            if isinstance(start, float) and isinstance(end, float):
                self._width = end - start
                self._course[round(start / self._width)][_number(emotion)].append(share)
            return
        low, high = row["share_low"], row["share_high"]
        interval = (low, high) if isinstance(low, float) and isinstance(high, float) else (np.nan, np.nan)
        self._shares[str(row["input"]), str(row["person"])].append((share, *interval))

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Draw the figure and save it as PDF, SVG, or PNG with 600 dpi.

        Raises:
            OutputError: the file cannot be written.
        """
        picture = BytesIO()  # Matplotlib leaves files open if the disk is full
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=(self._size[0] * _MM, self._size[1] * _MM), dpi=600, layout="constrained")
            axes = figure.subplots()
            if self._course:
                self._draw_course(axes)
            else:
                self._draw_shares(axes)
            kind = path.suffix[1:].lower()
            metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
            try:
                figure.savefig(picture, format=kind, metadata=metadata)
            except ValueError as error:
                raise OutputError(f"{path}: cannot be written ({error})") from error
        with atomic_write(path, overwrite=overwrite) as partial:
            partial.write_bytes(picture.getvalue())

    def _draw_shares(self, axes: Axes) -> None:
        people = [*self._shares]
        places = np.arange(len(EMOTIONS))
        values = np.asarray([self._shares[person] for person in people]).reshape(-1, len(EMOTIONS), 3)
        if 0 < len(people) <= _MAX_NAMED:
            apart = 0.6 / len(people)
            for number, (name, person) in enumerate(people):
                share, low, high = values[number].T
                place = places + apart * (number - (len(people) - 1) / 2)
                label = f"{Path(caption(name)).stem}, person {person}"
                axes.hlines(place, low, high, color=_GRAYS[number], linewidth=0.8)
                axes.plot(share, place, _MARKERS[number], color=_GRAYS[number], markersize=3, label=label)
        elif people:
            for place in places.tolist():
                shares = values[:, place, 0]
                jitter = 0.25 * np.linspace(-1, 1, len(shares))
                axes.plot(shares, place + jitter, ".", color="0.6", markersize=4, markeredgewidth=0, alpha=0.7)
                first, middle, third = np.percentile(shares, [25, 50, 75])
                axes.hlines(place, first, third, color="0", linewidth=1.2)
                axes.plot(middle, place, "D", color="0", markersize=3)
            axes.set_title(f"{len(people):,} people: median and quartiles", fontsize=7)
        axes.set_yticks(places, [emotion.value for emotion in EMOTIONS])
        axes.set(ylim=(len(EMOTIONS) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel="share of certain time")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        if 1 < len(people) <= _MAX_NAMED:
            _draw_legend(axes, columns=1)

    def _draw_course(self, axes: Axes) -> None:
        bins = dict(sorted(self._course.items()))
        # A bin in which no face was read interrupts the lines.
        places = sorted({*bins, *(place + 1 for place in [*bins][:-1])})
        centers = (np.asarray(places) + 0.5) * self._width
        for number, (emotion, (color, dashes)) in enumerate(zip(EMOTIONS, _LINES, strict=True)):
            means = [float(np.mean(bins[place][number])) if place in bins else np.nan for place in places]
            axes.plot(centers, means, color=color, linestyle=dashes, label=emotion.value)
        axes.set(xlabel="time (s)", ylabel="share of certain time", ylim=(-0.02, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _draw_legend(axes, columns=4)


def _draw_legend(axes: Axes, columns: int) -> None:
    """Draw the legend above the axes, so that it covers no data."""
    legend = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False, fontsize=6)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _number(emotion: object) -> int:
    return next(number for number, one in enumerate(EMOTIONS) if one.value == emotion)
