"""Rendering of the live window and of snapshots, without a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from emodetect.drawing.anonymize import anonymize
from emodetect.drawing.overlay import Layout, Strip, Style, draw, mirrored, resized
from emodetect.drawing.phrases import Phrase
from emodetect.emotions.stable_labels import StableLabels
from emodetect.faces.hiding import HiddenFaces
from emodetect.live.hud import draw_help, draw_marks, place_marks
from emodetect.live.view import View
from emodetect.sinks.anonymized import HIDDEN_SECONDS
from emodetect.types import Box, Frame, FrameResult, Image

_HINT_SECONDS = 6.0
"""Seconds from the start for which the window shows the key of the help."""

_NOBODY_SECONDS = 2.0
"""Seconds without a face after which the window shows a message."""

_SUGGEST_SECONDS = 5.0
"""Seconds without a face after which the window suggests a smaller minimum face size."""


@dataclass
class Pace:
    """Frame rate over the last second, and the delay of the last frame."""

    _times: deque[float] = field(default_factory=deque)
    _delay: float = 0.0

    def tick(self, now: float, delay: float) -> None:
        """Count a frame.

        Args:
            now: time at which it was on the screen, seconds.
            delay: time since its capture, seconds.
        """
        self._times.append(now)
        while now - self._times[0] > 1.0:
            self._times.popleft()
        self._delay = delay

    def in_words(self, style: Style) -> str:
        """Format both numbers as one line of text."""
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        rate = (len(self._times) - 1) / span if span > 0 else 0.0
        return f"{style.format(Phrase.FRAME_RATE, rate=round(rate))}, {1000 * self._delay:.0f} ms"


@dataclass(frozen=True)
class Activity:
    """State of a live session while a frame is rendered.

    Attributes:
        elapsed: seconds since the start of the source.
        backend: name of the active backend; None before the first one is loaded.
        loading: name of the backend that is being loaded; None if there is none.
        is_reconnecting: whether the source was lost and is being opened again.
        is_recording: whether a video is being recorded.
        is_logging: whether a log is being written.
        can_search_smaller: whether a key makes the detector look for smaller faces.
    """

    elapsed: float = 0.0
    backend: str | None = None
    loading: str | None = None
    is_reconnecting: bool = False
    is_recording: bool = False
    is_logging: bool = False
    can_search_smaller: bool = False


class Renderer:
    """Draws frames with their results, according to the view.

    Args:
        view: state of the window; changes take effect with the next frame.
        style: words and letters; None for English.
        anonymize_by: anonymization method for snapshots, as for `emodetect.drawing.anonymize`; None for no anonymization.

    Attributes:
        pace: the frame rate and delay shown.
    """

    def __init__(self, view: View, *, style: Style | None = None, anonymize_by: str | None = None) -> None:
        self._view, self._style, self._anonymize_by = view, style or Style(), anonymize_by
        self._steady, self._strip, self._layout = StableLabels(), Strip(), Layout()
        self._last_face = 0.0
        self._seen: deque[tuple[float, tuple[Box, ...]]] = deque()
        self.pace = Pace()

    def update(self, result: FrameResult) -> FrameResult:
        """Add the next frame's result; returns it with the stable labels to display."""
        while self._seen and result.timestamp - self._seen[0][0] > HIDDEN_SECONDS:
            self._seen.popleft()
        self._seen.append((result.timestamp, result.seen))
        steady = self._steady.update(result)
        self._strip.update(steady)
        return steady

    def snapshot(self, frame: Frame, result: FrameResult) -> Image:
        """Render a frame for a file: with boxes and labels, without messages, and anonymized if requested.

        Args:
            frame: the frame; not changed.
            result: its faces, as `update` returned them.

        Returns:
            A new image, uint8 (height, width, 3) BGR.
        """
        if self._anonymize_by is not None:
            boxes = {box for _, seen in self._seen for box in seen} | set(HiddenFaces().find(frame, result))
            frame = replace(frame, image=anonymize(frame.image, boxes, self._anonymize_by))
        # A copy, since the window may have another size, and its labels keep their positions.
        layout = Layout(dict(self._layout.labels), dict(self._layout.panels))
        return self._annotated(frame, result, layout)

    def render(self, frame: Frame, result: FrameResult, activity: Activity, size: tuple[int, int] | None = None) -> Image:
        """Render a frame for the window: with boxes, labels, messages and marks.

        Args:
            frame: the frame; not changed.
            result: its faces, as `update` returned them.
            activity: state of the session.
            size: width and height of the rendered image, pixels; None for the frame's.

        Returns:
            A new image, uint8 (height, width, 3) BGR.
        """
        if result.readings:
            self._last_face = frame.timestamp
        frame, result = _fitted(frame, result, size)
        style, drawn = self._style, (frame.image.shape[1], frame.image.shape[0])
        marks = place_marks(drawn, style, recording=activity.is_recording, logging=activity.is_logging)
        status, banner = self._status(activity), self._banner(frame.timestamp, activity)
        # The help covers the texts.
        texts = () if self._view.help else (status, banner, [*marks.values()])
        image = self._annotated(frame, result, self._layout, *texts)
        draw_marks(image, style, marks)
        if self._view.help:
            draw_help(image, style)
        return image

    def _annotated(
        self,
        frame: Frame,
        result: FrameResult,
        layout: Layout,
        status: Sequence[str] = (),
        banner: Sequence[str] = (),
        marks: Sequence[Box] = (),
    ) -> Image:
        view, image = self._view, frame.image
        if view.mirror:
            image, result = np.ascontiguousarray(image[:, ::-1]), mirrored(result, image.shape[1])
        return draw(
            image, result.readings, status=status, banner=banner, marks=marks, seen=result.seen, bars=view.bars,
            labels=view.labels, strip=self._strip if view.strip else None, style=self._style, layout=layout,
        )  # fmt: skip

    def _banner(self, now: float, activity: Activity) -> list[str]:
        """Messages for the line at the bottom: no face, pending operations, and messages of the view."""
        view, style = self._view, self._style
        lines = []
        if view.numbers and now - self._last_face > _NOBODY_SECONDS:
            suggests = now - self._last_face > _SUGGEST_SECONDS and activity.can_search_smaller and not view.finds_smallest_faces
            lines.append(style.format(Phrase.NO_FACE_SUGGESTION if suggests else Phrase.NO_FACE))
        if activity.is_reconnecting:
            lines.append(style.format(Phrase.RECONNECTING))
        if activity.loading:
            lines.append(style.format(Phrase.LOADING, backend=activity.loading))
        if view.paused:
            lines.append(style.format(Phrase.PAUSED))
        return [*lines, *view.notices(style)]

    def _status(self, activity: Activity) -> list[str]:
        """Texts in the top left corner: the numbers, and at first how to show the help."""
        view, style = self._view, self._style
        lines = []
        if view.numbers and not activity.is_reconnecting:
            lines.append(self.pace.in_words(style))
        if view.numbers and activity.backend:
            lines.append(activity.backend)
        if self._anonymize_by is not None:
            lines.append(style.format(Phrase.FACES_HIDDEN))
        if activity.elapsed < _HINT_SECONDS:
            lines.append(f"?  {style.format(Phrase.KEYS)}")
        return lines


def _fitted(frame: Frame, result: FrameResult, size: tuple[int, int] | None) -> tuple[Frame, FrameResult]:
    """Resize the frame and its boxes, so that letters are drawn at the size at which they are shown."""
    width = frame.image.shape[1]
    if size is None or size == (width, frame.image.shape[0]):
        return frame, result
    interpolation = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(frame.image, size, interpolation=interpolation), np.uint8)
    return replace(frame, image=image), resized(result, size[0] / width)
