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

from emodetect.files import written_whole
from emodetect.overlay import COLORS
from emodetect.report.pictures import address, face, frames_at, playable_copy, still
from emodetect.report.timeline import Person, Run, Timeline
from emodetect.text import counted, one_line
from emodetect.types import EMOTIONS, Emotion

MOST_CLIP_BYTES = 24_000_000
"""Of the copy of a clip inside a report; a longer clip is shown in stills. About ten minutes."""

_MOST_STILLS = 12
_MOST_PEOPLE = 30
_MOST_CHANGES = 40
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
    """

    name: str
    timeline: Timeline
    clip: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    accuracy: Sequence[str] = ()


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
        data=_data(timeline, people),
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
    copy = playable_copy(clip, timeline.start, timeline.end, most_clip_bytes)
    shown = {} if copy else dict(_moments(timeline, people))
    stills, faces = [], {}
    for frame in frames_at(clip, {*shown, *(person.best_frame for person in people)}):
        if frame.index in shown:
            stills.append({"time": shown[frame.index], "source": still(frame.image)})
        for person in people:
            if person.best_frame == frame.index and (picture := face(frame.image, person.best_box)):
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


def _data(timeline: Timeline, people: Sequence[Person]) -> dict[str, Any]:
    """What the script needs: for each person the runs as start, end, emotion, percent, certain or not."""
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
            }
            for person in people
        ],
    }


def _colors() -> str:
    """The colours of the annotated clips."""
    return "\n".join(f".{emotion} {{ fill: {_hex(emotion)}; }}" for emotion in EMOTIONS)


def _hex(emotion: Emotion) -> str:
    return "#" + bytes(reversed(COLORS[emotion])).hex()


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
