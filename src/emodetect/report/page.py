"""The report: one HTML file that holds all it shows and asks the network for nothing."""

from __future__ import annotations

import base64
import bisect
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from emodetect.drawing.palette import COLORS, Color, ink_on
from emodetect.files import written_whole
from emodetect.report.pictures import address, face, frames_at, picture_size, playable_copy, still
from emodetect.report.timeline import Person, Run, Timeline
from emodetect.text import counted, one_line
from emodetect.types import EMOTIONS

MOST_CLIP_BYTES = 24_000_000
"""Of the copy of a clip inside a report; a longer clip is shown in stills. About ten minutes."""

_MOST_STILLS = 12
_MOST_PEOPLE = 30
_MOST_CHANGES = 40
_GRID = 1000
"""Steps in which a picture's width, and its height, are divided to say where a face is."""

_BOX_SECONDS = 0.1
"""From one place of a face to the next; between them the page moves the box evenly."""

_MOST_POINTS = 3000
"""Of the outlines of a person's timeline; more could not be told apart."""

_SCALE = 1000
"""Width of a timeline's drawing, in its own units."""

_LANE = 24
"""Height of an emotion's lane, in the drawing's units and in pixels."""

_LIMITS = (
    "A face is not a feeling. The scores say how people who see only the face would label it, not what the person felt.",
    "Faces that are turned away, tilted, dark, small, out of focus or partly hidden are read worse or not found at all.",
    "A number stands for a face that was followed without a long break. Somebody who leaves and comes back may get another one.",
    "Do not decide anything about a person with this report. In the European Union, systems that infer emotions at work and in "
    "schools are forbidden (Regulation (EU) 2024/1689, article 5).",
)


@dataclass(frozen=True)
class Report:
    """What a report is about.

    Attributes:
        name: the clip's name, or the log's.
        timeline: what was read.
        clip: the clip itself, for pictures; None for a report without.
        settings: how it was read, by name.
        accuracy: sentences on how often the network is right.
        clip_is_cut: whether the clip holds the frames that were read and no others, as one in which faces are hidden does.
    """

    name: str
    timeline: Timeline
    clip: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    accuracy: Sequence[str] = ()
    clip_is_cut: bool = False


def write_report(report: Report, path: Path, *, overwrite: bool = False, most_clip_bytes: int = MOST_CLIP_BYTES) -> None:
    """Write a report as one HTML file.

    Args:
        report: what it says.
        path: the file.
        overwrite: whether it may be replaced.
        most_clip_bytes: size of the clip's copy from which on there are stills instead.

    Raises:
        SourceError: the clip cannot be read or is another one.
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    text = render(report, most_clip_bytes)
    with written_whole(path, overwrite=overwrite) as partial:
        partial.write_text(text, encoding="utf-8")


def render(report: Report, most_clip_bytes: int = MOST_CLIP_BYTES) -> str:
    """A report as HTML; see `write_report`."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(clock=clock, counted=counted)
    timeline = report.timeline
    everybody = timeline.people()
    people = sorted(sorted(everybody, key=lambda person: -person.seconds)[:_MOST_PEOPLE], key=lambda person: person.track_id)
    video, stills, faces = _pictures(report, people, most_clip_bytes)
    # Their hashes are all that may run here and style the page: whatever a file's name holds, it stays text.
    style, script = _part("report.css") + _colors(), _part("report.js")
    return environment.from_string(_part("report.html")).render(
        name=one_line(report.name),
        timeline=timeline,
        video=video,
        stills=stills,
        people=[_shown(person, timeline, faces.get(person.track_id)) for person in people],
        left_out=len(everybody) - len(people),
        settings=report.settings,
        accuracy=report.accuracy,
        limits=_LIMITS,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=_data(timeline, people, picture_size(report.clip) if video and report.clip else None),
    )


def clock(seconds: float) -> str:
    """A time as people write it, with tenths: 1:02.5 or 1:00:02.5."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02}.{rest % 10}"


def _pictures(
    report: Report, people: Sequence[Person], most_clip_bytes: int
) -> tuple[str | None, list[dict[str, Any]], dict[int, str]]:
    """The clip's copy, or stills with their times; and a face of each person by number."""
    timeline, clip = report.timeline, report.clip
    if clip is None:
        return None, [], {}
    start = 0.0 if report.clip_is_cut else timeline.start
    copy = playable_copy(clip, start, start + timeline.end - timeline.start, most_clip_bytes)
    shown = {} if copy else dict(_moments(timeline, people))
    wanted = {*shown, *(person.best_frame for person in people)}
    # By their places in this clip, which are other ones than in the whole clip if it was cut.
    numbers = {
        place if report.clip_is_cut else number: number for place, number in enumerate(timeline.frames) if number in wanted
    }
    stills, faces = [], {}
    for frame in frames_at(clip, numbers):
        number = numbers[frame.index]
        if number in shown:
            stills.append({"time": shown[number], "source": still(frame.image)})
        for person in people:
            if person.best_frame == number and (picture := face(frame.image, person.best_box)):
                faces[person.track_id] = picture
    return address("video/mp4", copy) if copy else None, stills, faces


def _moments(timeline: Timeline, people: Sequence[Person]) -> list[tuple[int, float]]:
    """Frames worth a still, number and time: where emotions change, and evenly between."""
    changes = [change.time for person in people for change in person.changes()][: _MOST_STILLS // 2]
    evenly = np.linspace(timeline.start, timeline.end, _MOST_STILLS - len(changes), endpoint=False).tolist()
    last = len(timeline.times) - 1
    places = {min(last, bisect.bisect_left(timeline.times, time)) for time in [*changes, *evenly]}
    return [(timeline.frames[place], timeline.times[place]) for place in sorted(places)]


def _shown(person: Person, timeline: Timeline, picture: str | None) -> dict[str, Any]:
    """A person as the template wants it."""
    shares = person.shares()
    lanes = [emotion for emotion in EMOTIONS if any(share.emotion is emotion for share in shares)]
    changes = person.changes()
    every = -(-len(person.starts) // _MOST_POINTS)
    return {
        "number": person.track_id,
        "picture": picture,
        "seconds": person.seconds,
        "first": float(person.starts[0]),
        "last": float(person.ends[-1]),
        "shares": shares,
        "lanes": lanes,
        "height": _LANE * len(lanes),
        "bars": [_bar(run, person, timeline, lanes.index(run.emotion), every) for run in person.runs()],
        "changes": changes[:_MOST_CHANGES],
        "more_changes": max(0, len(changes) - _MOST_CHANGES),
    }


def _bar(run: Run, person: Person, timeline: Timeline, lane: int, every: int) -> dict[str, Any]:
    """A run's outline in its lane: as high as the reading was sure, sample by sample, or each so many samples."""
    span = max(timeline.end - timeline.start, timeline.step)
    floor = _LANE * (lane + 1) - 2

    def across(time: float) -> float:
        return round(_SCALE * (time - timeline.start) / span, 2)

    confidences = person.confidences[run.samples]
    outline = [f"M{across(run.start)} {floor}"]
    for time, confidence in zip(person.starts[run.samples][::every], confidences[::every], strict=True):
        outline.append(f"H{across(time)}V{round(floor - (_LANE - 4) * float(confidence), 1)}")
    outline.append(f"H{across(run.end)}V{floor}Z")
    return {"run": run, "confidence": float(confidences.mean()), "outline": "".join(outline)}


def _data(timeline: Timeline, people: Sequence[Person], size: tuple[int, int] | None) -> dict[str, Any]:
    """What the script needs: for each person the runs as start, end, emotion, percent, certain or not, and where the face is.

    Args:
        timeline: what was read.
        people: who is shown.
        size: width and height of the picture that boxes are drawn on, pixels; None for no boxes.
    """
    return {
        "start": round(timeline.start, 3),
        "end": round(timeline.end, 3),
        "step": round(timeline.step, 4),
        "people": [
            {
                "number": person.track_id,
                "runs": [
                    [
                        round(run.start, 3),
                        round(run.end, 3),
                        run.emotion.value,
                        round(100 * float(person.confidences[run.samples].mean())),
                        run.uncertain,
                    ]
                    for run in person.runs()
                ],
                "boxes": _boxes(person, timeline.start, size) if size else [],
            }
            for person in people
        ],
    }


def _boxes(person: Person, start: float, size: tuple[int, int]) -> list[list[int]]:
    """Where a face is, as a list a time that it is there: milliseconds, x, y, width and height again and again.

    The first five are counted from the report's start and the picture's corner, each later one from its forerunner: most of these
    are small, and ten minutes of a face take about 70 KB.
    """
    places = np.rint(_GRID * person.boxes / np.asarray([*size, *size])).clip(-_GRID, 2 * _GRID)
    paths = []
    for samples in person.appearances():
        times = person.starts[samples]
        kept = [0]
        for number, time in enumerate(times.tolist()):
            if time - times[kept[-1]] >= _BOX_SECONDS - 1e-6:
                kept.append(number)
        ends = person.ends[samples.stop - 1], *places[samples.stop - 1]
        rows = np.asarray([*((times[number], *places[samples][number]) for number in kept), ends])
        rows[:, 0] = np.rint(1000 * (rows[:, 0] - start))
        paths.append(np.diff(rows, axis=0, prepend=0).astype(int).ravel().tolist())
    return paths


def _colors() -> str:
    """The colours of the annotated clips, and of letters on them."""
    rules = []
    for emotion, color in COLORS.items():
        shade, letters = _hex(color), _hex(ink_on(color))
        rules.append(f".{emotion} {{ fill: {shade}; --shade: {shade}; --letters: {letters}; }}")
    return "\n".join(rules)


def _hex(color: Color) -> str:
    return "#" + bytes(reversed(color)).hex()


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
