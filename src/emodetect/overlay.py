"""Results drawn on a copy of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from emodetect.faces.boxes import intersections
from emodetect.types import EMOTIONS, Box, Emotion, EmotionScores, FaceReading, Image

Color = tuple[int, int, int]

COLORS: dict[Emotion, Color] = {
    Emotion.ANGRY: (58, 58, 222),
    Emotion.DISGUST: (72, 160, 62),
    Emotion.FEAR: (190, 78, 150),
    Emotion.HAPPY: (30, 202, 250),
    Emotion.SAD: (222, 132, 48),
    Emotion.SURPRISE: (32, 132, 245),
    Emotion.NEUTRAL: (176, 176, 176),
}
"""One colour an emotion, BGR."""

UNKNOWN_COLOR: Color = (235, 235, 235)
"""The colour of a face that no backend has read yet, BGR."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PANEL_OPACITY = 0.62
_SMALLEST_LINE = 11
"""Height of a line of the panel that can still be read, pixels."""


def draw(
    image: Image,
    readings: Sequence[FaceReading],
    *,
    bars: bool = True,
    labels: bool = True,
    status: Sequence[str] = (),
    banner: str | None = None,
) -> Image:
    """Draw boxes, labels and score panels.

    Args:
        image: uint8 (height, width, 3) BGR; left as it is.
        readings: what to draw.
        bars: whether each face gets a panel with all scores.
        labels: whether each face gets a label.
        status: lines for the top left corner.
        banner: a line across the bottom, such as what is being waited for.

    Returns:
        A new picture of the same size.
    """
    canvas = image.copy()
    unit = _unit(canvas)
    size = canvas.shape[1], canvas.shape[0]
    places = _place_panels(readings, size, unit) if bars else [None] * len(readings)
    for reading, place in zip(readings, places, strict=True):
        if reading.scores is not None and place is not None:
            _draw_panel(canvas, reading.scores, *place)
    for reading in readings:
        _draw_face(canvas, reading, unit, label(reading) if labels else None)
    for row, line in enumerate(status):
        _draw_tag(canvas, line, (0, round(row * unit * 1.6)), unit, (40, 40, 40))
    if banner:
        width, height = _tag_size(banner, unit)
        _draw_tag(canvas, banner, ((canvas.shape[1] - width) // 2, canvas.shape[0] - 2 * height), unit, (40, 40, 40))
    return np.asarray(canvas)


def mirrored(readings: Sequence[FaceReading], width: int) -> list[FaceReading]:
    """The same readings for the picture's mirror image; width in pixels."""
    return [replace(r, box=replace(r.box, x=width - r.box.x - r.box.width)) for r in readings]


def label(reading: FaceReading) -> str:
    """What stands over a face: emotion and confidence, with a question mark where it should not be trusted."""
    if reading.scores is None:
        return "..."
    doubt = "?" if reading.uncertain else ""
    return f"{reading.scores.dominant}{doubt} {reading.scores.confidence:.0%}"


def _unit(image: Image) -> float:
    """Height of a line of text, pixels: grows with the picture, and stays readable on a small one."""
    return max(13.0, float(min(image.shape[:2])) / 42)


def _draw_face(canvas: Image, reading: FaceReading, unit: float, text: str | None) -> None:
    color = COLORS[reading.scores.dominant] if reading.scores else UNKNOWN_COLOR
    box = reading.box
    thickness = max(2, round(unit / 8))
    cv2.rectangle(canvas, (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1), color, thickness)
    if text is None:
        return
    width, height = _tag_size(text, unit)
    left = min(max(0, box.x - thickness // 2), max(0, canvas.shape[1] - width))
    # Over the box; where there is no room, inside at its top.
    top = box.y - height if box.y >= height else box.y
    _draw_tag(canvas, text, (left, top), unit, color)


def _tag_size(text: str, unit: float) -> tuple[int, int]:
    (width, _), _ = cv2.getTextSize(text, _FONT, unit / 26, max(1, round(unit / 14)))
    return width + round(unit * 0.7), round(unit * 1.5)


def _draw_tag(canvas: Image, text: str, corner: tuple[int, int], unit: float, color: Color) -> None:
    width, height = _tag_size(text, unit)
    x, y = corner
    cv2.rectangle(canvas, (x, y), (x + width - 1, y + height - 1), color, cv2.FILLED)
    blue, green, red = color
    dark_text = 0.114 * blue + 0.587 * green + 0.299 * red > 130
    ink = (0, 0, 0) if dark_text else (255, 255, 255)
    origin = (x + round(unit * 0.35), y + round(unit * 1.08))
    cv2.putText(canvas, text, origin, _FONT, unit / 26, ink, max(1, round(unit / 14)), cv2.LINE_AA)


@dataclass(frozen=True)
class _Panel:
    """Seven bars for one face; sizes in pixels."""

    line: int
    text_width: int
    bar_width: int

    @property
    def width(self) -> int:
        return self.text_width + self.bar_width + 3 * self.margin

    @property
    def height(self) -> int:
        return self.line * len(EMOTIONS) + 2 * self.margin

    @property
    def margin(self) -> int:
        return max(2, self.line // 3)

    @property
    def text_scale(self) -> float:
        return self.line / 34


def _panel_for(box: Box, unit: float) -> _Panel:
    """As high as the face, within what can be read and what the picture's size suggests."""
    line = round(min(max(box.height / (len(EMOTIONS) + 1), _SMALLEST_LINE), unit))
    panel = _Panel(line, 0, 3 * line)
    widths = [cv2.getTextSize(emotion.value, _FONT, panel.text_scale, 1)[0][0] for emotion in EMOTIONS]
    return replace(panel, text_width=max(widths))


def _place_panels(readings: Sequence[FaceReading], size: tuple[int, int], unit: float) -> list[tuple[_Panel, Box] | None]:
    """A place for each panel beside its face, over as little as possible of other faces and panels."""
    occupied = [reading.box for reading in readings]
    places: list[tuple[_Panel, Box] | None] = []
    for reading in readings:
        panel = _panel_for(reading.box, unit)
        free = [place for place in _sides(reading.box, panel, round(unit / 3)) if place.clipped(*size) == place]
        if reading.scores is None or not free:
            places.append(None)
            continue
        covered = intersections(free, occupied).sum(axis=1)
        place = free[int(covered.argmin())]
        occupied.append(place)
        places.append((panel, place))
    return places


def _sides(box: Box, panel: _Panel, gap: int) -> list[Box]:
    """Right, left, below and above, in the order of preference."""
    corners = (
        (box.x + box.width + gap, box.y),
        (box.x - panel.width - gap, box.y),
        (box.x, box.y + box.height + gap),
        (box.x, box.y - panel.height - 2 * gap),
    )
    return [Box(x, y, panel.width, panel.height) for x, y in corners]


def _draw_panel(canvas: Image, scores: EmotionScores, panel: _Panel, place: Box) -> None:
    area = canvas[place.y : place.y + place.height, place.x : place.x + place.width]
    area[:] = np.asarray(area * (1 - _PANEL_OPACITY), np.uint8)
    left, right = place.x + panel.margin, place.x + place.width - panel.margin
    start = right - panel.bar_width
    for row, (emotion, score) in enumerate(zip(EMOTIONS, scores.values, strict=True)):
        top, bottom = (place.y + panel.margin + round((row + part) * panel.line) for part in (0.2, 0.85))
        cv2.putText(canvas, emotion.value, (left, bottom), _FONT, panel.text_scale, (255, 255, 255), 1, cv2.LINE_AA)
        cv2.rectangle(canvas, (start, top), (right, bottom), (90, 90, 90), cv2.FILLED)
        end = start + round(panel.bar_width * float(score))
        if end > start:
            cv2.rectangle(canvas, (start, top), (end, bottom), COLORS[emotion], cv2.FILLED)
