"""Logs of which the measures are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from emodetect.report.timeline import Timeline
from emodetect.sinks.records import RecordWriter
from emodetect.types import Box, Emotion, FaceReading, FrameResult
from tests.builders import make_frame, make_reading, make_result

A, H, N = Emotion.ANGRY, Emotion.HAPPY, Emotion.NEUTRAL

STEP = 0.25
"""Seconds from one frame to the next, a number that floats have exactly."""


def frames(*people: Sequence[Emotion | tuple[Emotion] | None], step: float = STEP, start: float = 0.0) -> list[FrameResult]:
    """A frame for each entry: the emotion of each person, None for absent, in a tuple if uncertain."""
    results = []
    for index in range(max(map(len, people))):
        faces = []
        for number, person in enumerate(people, start=1):
            if index < len(person) and (emotion := person[index]) is not None:
                faces.append(face(number, emotion))
        results.append(make_result(*faces, index=index, timestamp=start + index * step))
    return results


def face(number: int, emotion: Emotion | tuple[Emotion], x: int = 0) -> FaceReading:
    uncertain = isinstance(emotion, tuple)
    dominant = emotion[0] if isinstance(emotion, tuple) else emotion
    return make_reading(Box(x + 200 * number, 60, 80, 90), number, dominant, 0.4 if uncertain else 0.7, uncertain=uncertain)


def timeline(results: Iterable[FrameResult], count: int | None = None) -> Timeline:
    made = Timeline(count=count)
    for result in results:
        made.add(result)
    return made


def write_log(path: Path, results: Iterable[FrameResult]) -> Path:
    with RecordWriter(path) as writer:
        for result in results:
            writer.write(make_frame(), result)
    return path
