"""What is published of a frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emodetect.emotions.stable_labels import SteadyLabels
from emodetect.types import Emotion, FrameResult


@dataclass(frozen=True)
class LabelChange:
    """A face that has another label than in the frame before.

    Attributes:
        track_id: of the face.
        label: its emotion now, with hysteresis, as it is shown; None while it is uncertain.
        is_gone: whether the face is no longer there.
    """

    track_id: int
    label: Emotion | None
    is_gone: bool = False

    @property
    def text(self) -> str:
        """The label in one word: an emotion, "uncertain" or "gone"."""
        return "gone" if self.is_gone else self.label.value if self.label else "uncertain"


@dataclass(frozen=True)
class Message:
    """The result of a frame, as publishers send it.

    Attributes:
        body: the object of the output contract, as a log in JSON has it.
        captured: when the frame was captured, seconds on `time.monotonic`.
        changes: the faces whose label changed in this frame, those that came and those that left.
    """

    body: Mapping[str, Any]
    captured: float
    changes: tuple[LabelChange, ...] = ()

    @cached_property
    def json(self) -> str:
        """The body as one line of JSON."""
        return json.dumps(self.body)


class LabelWatch:
    """Finds the frames in which the label of a face changes. Labels have hysteresis, so that they do not flicker."""

    def __init__(self) -> None:
        self._steady = SteadyLabels()
        self._labels: dict[int, Emotion | None] = {}

    def update(self, result: FrameResult) -> tuple[LabelChange, ...]:
        """The changes since the frame before, by the faces' ids. A face counts from its first scores on."""
        before, present = self._labels, {reading.track_id for reading in result.readings}
        steady = self._steady.update(result).readings
        kept = {track: label for track, label in before.items() if track in present}
        self._labels = kept | {reading.track_id: reading.shown for reading in steady if reading.scores is not None}
        changed = [LabelChange(t, label) for t, label in self._labels.items() if t not in before or label is not before[t]]
        gone = [LabelChange(track, None, is_gone=True) for track in before if track not in present]
        return tuple(sorted([*changed, *gone], key=lambda change: change.track_id))
