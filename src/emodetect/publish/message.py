"""Messages with the result of a frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emodetect.emotions.stable_labels import StableLabels
from emodetect.types import Emotion, FrameResult


@dataclass(frozen=True)
class LabelChange:
    """A face whose label differs from that in the previous frame.

    Attributes:
        track_id: id of the face.
        label: its current label, with hysteresis as in displays; None while it is uncertain.
        is_gone: whether the face has left.
    """

    track_id: int
    label: Emotion | None
    is_gone: bool = False

    @property
    def text(self) -> str:
        """The label as one word: an emotion, "uncertain" or "gone"."""
        return "gone" if self.is_gone else self.label.value if self.label else "uncertain"


@dataclass(frozen=True)
class Message:
    """Result of a frame, as sent by publishers.

    Attributes:
        body: the result, as in a JSONL log.
        captured: capture time of the frame, seconds on `time.monotonic`.
        changes: label changes in this frame, including faces that came and left.
    """

    body: Mapping[str, Any]
    captured: float
    changes: tuple[LabelChange, ...] = ()

    @cached_property
    def json(self) -> str:
        """Serialize the body to one line of JSON."""
        return json.dumps(self.body)


class LabelWatch:
    """Detects changes of labels, with hysteresis, so that they do not flicker."""

    def __init__(self) -> None:
        self._steady = StableLabels()
        self._labels: dict[int, Emotion | None] = {}

    def update(self, result: FrameResult) -> tuple[LabelChange, ...]:
        """Changes since the previous frame, ordered by the faces' ids. A face counts from its first scores on."""
        before, present = self._labels, {reading.track_id for reading in result.readings}
        steady = self._steady.update(result).readings
        kept = {track: label for track, label in before.items() if track in present}
        self._labels = kept | {reading.track_id: reading.shown for reading in steady if reading.scores is not None}
        changed = [LabelChange(t, label) for t, label in self._labels.items() if t not in before or label is not before[t]]
        gone = [LabelChange(track, None, is_gone=True) for track in before if track not in present]
        return tuple(sorted([*changed, *gone], key=lambda change: change.track_id))
