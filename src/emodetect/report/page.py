"""The report: one self-contained HTML file that makes no network requests."""

from __future__ import annotations

import base64
import bisect
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from emodetect.drawing.palette import COLORS, ON_PAPER, Color, ink_on
from emodetect.media.media_file import MediaFile
from emodetect.report.changes import MIN_BOUT_SECONDS, changes
from emodetect.report.formatting import clock, duration, percent
from emodetect.report.page_data import page_data
from emodetect.report.person import Person
from emodetect.report.pictures import CopyError, address, encode_face, encode_still, frames_at, picture_size, playable_copy
from emodetect.report.shapes import COLUMNS, Shape, shapes
from emodetect.report.ticks import ticks
from emodetect.report.timeline import Timeline
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import counted, one_line, printable
from emodetect.types import EMOTIONS, Emotion

MAX_CLIP_BYTES = 24_000_000
"""Maximum size of the clip's copy in a report, about ten minutes; for a larger one the report has stills."""

_MAX_STILLS = 12
_MAX_PEOPLE = 30

_MAX_CHANGES = 20
"""Number of changes shown per person; further ones are collapsed."""

_MIN_SECONDS = 1.0
"""Minimum duration, seconds, for which a person must be seen; others are collapsed."""

_LONG_TIMELINE = 60.0
"""Length of a timeline, seconds, from which on the page states the time per column."""

_SCALE = 1000
"""Width of a timeline's drawing, in its own units."""

_LANE = 24
"""Height of an emotion's lane, in the drawing's units and in pixels."""

_SCRIPTS = "readings.js", "boxes.js", "report.js"

_LIMITS = (
    "The scores estimate how people who see only the face would label it, not what the person felt.",
    "Faces that are turned away, tilted, dark, small, out of focus or partly hidden are classified less accurately or not found.",
    "A number stands for a face that was tracked without a long interruption. A person who leaves and returns may get a new one.",
    "Do not use this report for decisions about people. In the European Union, systems that infer emotions at work and in "
    "schools are forbidden (Regulation (EU) 2024/1689, article 5).",
)


@dataclass(frozen=True)
class Report:
    """Content of a report.

    Attributes:
        name: name of the clip or the log.
        timeline: results over time.
        clip: the clip, for images; None for a report without images.
        settings: settings of the run, by name.
        accuracy: sentences about the accuracy of the network.
        part_of_picture: whether faces were detected only in a region of interest.
        clip_is_cut: whether the clip contains only the analyzed frames, as an anonymized clip does.
    """

    name: str
    timeline: Timeline
    clip: Path | MediaFile | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    accuracy: Sequence[str] = ()
    part_of_picture: bool = False
    clip_is_cut: bool = False


def write_report(report: Report, path: Path, *, overwrite: bool = False, max_clip_bytes: int = MAX_CLIP_BYTES) -> str | None:
    """Write a report as one HTML file.

    Args:
        report: its content.
        path: the file.
        overwrite: whether the file may be replaced.
        max_clip_bytes: maximum size of the clip's copy; a larger one is replaced by stills.

    Returns:
        Reason, as a sentence, why the report has stills instead of the clip; None if it has the clip.

    Raises:
        SourceError: the clip cannot be read or is another one.
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    text, why_stills = render(report, max_clip_bytes)
    with atomic_write(path, overwrite=overwrite) as partial:
        partial.write_text(text, encoding="utf-8")
    return why_stills


def render(report: Report, max_clip_bytes: int = MAX_CLIP_BYTES) -> tuple[str, str | None]:
    """Render a report as HTML.

    Args:
        report: its content.
        max_clip_bytes: as for `write_report`.

    Returns:
        The HTML, and the result of `write_report`.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(clock=clock, counted=counted, duration=duration, percent=percent)
    timeline = report.timeline
    start, end = timeline.start, timeline.end
    everybody = timeline.people()
    people = everybody[:_MAX_PEOPLE]
    pictures = _pictures(report, people, max_clip_bytes)
    size = picture_size(report.clip) if report.clip else None
    shown = [_shown(person, start, end, pictures.faces.get(person.track_id)) for person in people]
    lasting = sum(person.seconds >= _MIN_SECONDS for person in people) or len(people)
    # The content security policy allows only these hashes, so that markup in a file name cannot run.
    style, script = _part("report.css") + _colors(), "(() => {\n" + "".join(map(_part, _SCRIPTS)) + "})();\n"
    text = environment.from_string(_part("report.html")).render(
        name=printable(report.name),
        frames=len(timeline.times),
        start=start,
        end=end,
        is_long=end - start >= _LONG_TIMELINE,
        ticks=_ticks(start, end),
        column=(end - start) / COLUMNS,
        pictures=pictures,
        is_upright=size is not None and size[1] > size[0],
        people=shown[:lasting],
        brief=shown[lasting:],
        has_sums=any(bar["shape"].run is None for person in shown for bar in person["bars"]),
        count=len(everybody),
        max_changes=_MAX_CHANGES,
        lasting=MIN_BOUT_SECONDS,
        part_of_picture=report.part_of_picture,
        settings={
            **{name: one_line(value) for name, value in report.settings.items()},
            "Created": f"{date.today()}, emodetect {metadata.version('emodetect')}",
        },
        accuracy=[one_line(sentence) for sentence in report.accuracy],
        limits=_LIMITS,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=page_data(timeline, people, size if pictures.video else None),
    )
    return text, pictures.why_stills


@dataclass
class _Pictures:
    """Images of the clip: its copy, or stills with their times and the reason; and a face per person, by id."""

    video: str | None = None
    why_stills: str | None = None
    stills: list[dict[str, Any]] = field(default_factory=list)
    faces: dict[int, str] = field(default_factory=dict)


def _pictures(report: Report, people: Sequence[Person], max_clip_bytes: int) -> _Pictures:
    timeline, clip = report.timeline, report.clip
    pictures = _Pictures()
    if clip is None:
        return pictures
    start = 0.0 if report.clip_is_cut else timeline.start
    shown: dict[int, float] = {}
    try:
        copy = playable_copy(clip, start, start + timeline.end - timeline.start, max_clip_bytes)
        pictures.video = address("video/mp4", copy)
    except CopyError as error:
        pictures.why_stills = f"The page shows stills, since {error}."
        shown.update(_moments(timeline, people))
    wanted = {*shown, *(person.best_frame for person in people)}
    # Positions in this clip, which differ from those in the whole clip if it was cut.
    numbers = {
        place if report.clip_is_cut else number: number for place, number in enumerate(timeline.frames) if number in wanted
    }
    for frame in frames_at(clip, numbers):
        number = numbers[frame.index]
        if number in shown:
            pictures.stills.append({"time": shown[number], "source": encode_still(frame.image)})
        for person in people:
            if person.best_frame == number and (picture := encode_face(frame.image, person.best_box)):
                pictures.faces[person.track_id] = picture
    return pictures


def _moments(timeline: Timeline, people: Sequence[Person]) -> list[tuple[int, float]]:
    """Frames for the stills, number and time: at changes of emotion, and evenly spaced in between."""
    changing = [change.time for person in people for change in changes(person)][: _MAX_STILLS // 2]
    evenly = np.linspace(timeline.start, timeline.end, _MAX_STILLS - len(changing), endpoint=False).tolist()
    last = len(timeline.times) - 1
    places = {min(last, bisect.bisect_left(timeline.times, time)) for time in [*changing, *evenly]}
    return [(timeline.frames[place], timeline.times[place]) for place in sorted(places)]


def _shown(person: Person, start: float, end: float, picture: str | None) -> dict[str, Any]:
    """Template data of a person, on a timeline from ``start`` to ``end``, seconds."""
    shares = person.shares()
    lanes = [emotion for emotion in EMOTIONS if any(share.emotion is emotion for share in shares)]
    return {
        "number": person.track_id,
        "picture": picture,
        "seconds": person.seconds,
        "first": float(person.starts[0]),
        "last": float(person.ends[-1]),
        "dominant": person.dominant(),
        "shares": shares,
        "lanes": lanes,
        "height": _LANE * len(lanes),
        "bars": [_bar(shape, start, end, lanes.index(shape.emotion)) for shape in shapes(person, start, end)],
        "changes": changes(person),
    }


def _bar(shape: Shape, start: float, end: float, lane: int) -> dict[str, Any]:
    """Outline of a shape in its lane."""
    floor = _LANE * (lane + 1) - 2
    across = np.round(_SCALE * (shape.edges - start) / (end - start), 2)
    tops = np.round(floor - (_LANE - 4) * shape.heights, 1)
    outline = [f"M{across[0]:g} {floor}"]
    before = floor
    for left, top in zip(across.tolist(), tops.tolist(), strict=False):
        if top != before:
            outline.append(f"H{left:g}V{top:g}")
        before = top
    outline.append(f"H{across[-1]:g}V{floor}Z")
    return {"shape": shape, "confidence": float(shape.heights.mean()), "outline": "".join(outline)}


def _ticks(start: float, end: float) -> list[dict[str, Any]]:
    """Labels of the time axis with their positions in percent of its width, and their text anchors."""
    labels = []
    for time, label in ticks(start, end):
        place = round(100 * (time - start) / ((end - start) or 1), 2)
        labels.append({"label": label, "place": place, "anchor": "start" if place < 4 else "end" if place > 96 else "middle"})
    return labels


def _colors() -> str:
    """Colors of the emotions on the screen and in print, and of the letters on them, as CSS."""
    return _rules(COLORS) + f"\n@media print {{\n{_rules(ON_PAPER)}\n}}"


def _rules(colors: Mapping[Emotion, Color]) -> str:
    rules = []
    for emotion, color in colors.items():
        shade, letters = _hex(color), _hex(ink_on(color))
        rules.append(f".{emotion} {{ fill: {shade}; --shade: {shade}; --letters: {letters}; }}")
    return "\n".join(rules)


def _hex(color: Color) -> str:
    return "#" + bytes(reversed(color)).hex()


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
