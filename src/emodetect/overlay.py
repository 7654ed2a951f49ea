"""Results drawn on a copy of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from emodetect.drawing.lettering import LINE, Lettering, draw_tag, tag_size, unit_for
from emodetect.drawing.palette import BLACK, COLORS, UNKNOWN_COLOR, WHITE, Color, color_of
from emodetect.drawing.places import place_labels
from emodetect.drawing.strip import Strip
from emodetect.drawing.style import Style
from emodetect.faces.boxes import intersections
from emodetect.types import EMOTIONS, Box, EmotionScores, FaceReading, Image

__all__ = ["COLORS", "UNKNOWN_COLOR", "Strip", "Style", "draw", "label", "mirrored"]

_STATUS_COLOR: Color = (40, 40, 40)
_FRAME_COLOR: Color = (90, 90, 90)
"""What the bars of a panel are framed with."""

_PANEL_SHADE = 0.25
"""How much of the picture is still seen behind a panel."""

_SMALLEST_LINE = 12
"""Height of a line of the panel that can still be read, pixels."""


def draw(
    image: Image,
    readings: Sequence[FaceReading],
    *,
    status: Sequence[str] = (),
    banner: str | None = None,
    bars: bool = True,
    labels: bool = True,
    strip: Strip | None = None,
    style: Style | None = None,
) -> Image:
    """Draw boxes, labels and score panels.

    Nothing is written over anything else or beyond the picture; what has no room is left out, the panels first.

    Args:
        image: uint8 (height, width, 3) BGR; left as it is.
        readings: what to draw, as `emodetect.steady` gives them if the picture is one of many.
        status: lines for the top left corner.
        banner: lines near the bottom, such as what is being waited for.
        bars: whether each face has a panel with its seven scores.
        labels: whether each face has a label.
        strip: what the last seconds have shown, along the bottom; faces are then numbered as in its rows.
        style: words and letters; None for English.

    Returns:
        A new picture of the same size.
    """
    style = style or Style()
    canvas = image.copy()
    size = canvas.shape[1], canvas.shape[0]
    unit = unit_for(size)
    taken = [strip.place(size, unit)] if strip else []
    notices = _place_notices(status, banner, size, unit, style.lettering, bottom=taken[0].y if taken else size[1])
    taken += [box for _, box in notices]
    boxes = [reading.box for reading in readings]
    texts = [_label_forms(reading, style, numbered=strip is not None) if labels else [] for reading in readings]
    forms = [[tag_size(style.lettering, text, unit) for text in forms] for forms in texts]
    places = place_labels(boxes, forms, size, taken)
    taken += [place.box for place in places if place]
    panels = _place_panels(readings, size, unit, style, taken) if bars else [None] * len(readings)
    for reading, panel in zip(readings, panels, strict=True):
        if reading.scores is not None and panel is not None:
            _draw_panel(canvas, reading.scores, *panel, style)
    for reading in readings:
        _draw_box(canvas, reading, unit)
    if strip:
        strip.draw(canvas, unit, style)
    for reading, place in zip(readings, places, strict=True):
        if place is not None and not place.beside:
            _draw_leader(canvas, reading, place.box, unit)
    for reading, place, choice in zip(readings, places, texts, strict=True):
        if place is not None:
            corner = place.box.x, place.box.y
            draw_tag(canvas, style.lettering, choice[place.form], corner, unit, color_of(reading.shown))
    for text, box in notices:
        draw_tag(canvas, style.lettering, text, (box.x, box.y), unit, _STATUS_COLOR)
    return np.asarray(canvas)


def mirrored(readings: Sequence[FaceReading], width: int) -> list[FaceReading]:
    """The same readings for the picture's mirror image; width in pixels."""
    return [replace(r, box=replace(r.box, x=width - r.box.x - r.box.width)) for r in readings]


def label(reading: FaceReading, style: Style | None = None) -> str:
    """What stands at a face: emotion and confidence, or that it is uncertain."""
    if reading.scores is None:
        return "..."
    name = (style or Style()).name(reading.shown)
    return name if reading.shown is None else f"{name} {reading.scores[reading.shown]:.0%}"


def _label_forms(reading: FaceReading, style: Style, *, numbered: bool) -> list[str]:
    """The label, and without the confidence for where there is little room."""
    number = f"{reading.track_id}: " if numbered else ""
    forms = [number + label(reading, style)]
    if reading.shown is not None:
        forms.append(number + style.name(reading.shown))
    return forms


def _place_notices(
    status: Sequence[str], banner: str | None, size: tuple[int, int], unit: float, lettering: Lettering, *, bottom: int
) -> list[tuple[str, Box]]:
    """Where the lines of the window itself go, shortened to what fits; the banner's last line stands lowest."""
    places: list[tuple[str, Box]] = []
    room = size[0] - tag_size(lettering, "", unit)[0]
    lines = banner.splitlines() if banner else []
    for number, text in enumerate((*status, *lines)):
        short = lettering.shortened(text, unit, room)
        width, height = tag_size(lettering, short, unit)
        below = len(status) + len(lines) - number
        corner = (0, number * (height - 1)) if number < len(status) else ((size[0] - width) // 2, bottom - (1 + below) * height)
        places.append((short, Box(*corner, width, height)))
    return [(text, box) for text, box in places if text and box.lies_in(size[0], bottom)]


def _draw_box(canvas: Image, reading: FaceReading, unit: float) -> None:
    box, thickness = reading.box, max(2, round(unit / 8))
    corners = (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1)
    # A dark line on both sides of the coloured one is seen on white, the coloured one in the dark.
    cv2.rectangle(canvas, *corners, BLACK, thickness + 2 * max(1, round(unit / 26)))
    cv2.rectangle(canvas, *corners, color_of(reading.shown), thickness)


def _draw_leader(canvas: Image, reading: FaceReading, label_box: Box, unit: float) -> None:
    """A line from a face to its label, which stands elsewhere."""
    ends = _nearest(label_box, reading.box), _nearest(reading.box, label_box)
    thickness = max(1, round(unit / 12))
    cv2.line(canvas, *ends, BLACK, thickness + 2, cv2.LINE_AA)
    cv2.line(canvas, *ends, color_of(reading.shown), thickness, cv2.LINE_AA)


def _nearest(box: Box, other: Box) -> tuple[int, int]:
    """The point of a box that is nearest to the middle of another."""
    x, y = other.x + other.width // 2, other.y + other.height // 2
    return min(max(x, box.x), box.x + box.width - 1), min(max(y, box.y), box.y + box.height - 1)


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
    def unit(self) -> float:
        """The size of its text."""
        return 0.78 * self.line


def _panel_for(box: Box, unit: float, style: Style) -> _Panel:
    """As high as the face, within what can be read and what the picture's size suggests."""
    line = round(min(max(box.height / (len(EMOTIONS) + 1), _SMALLEST_LINE), max(unit, _SMALLEST_LINE)))
    panel = _Panel(line, 0, 3 * line)
    return replace(panel, text_width=max(style.lettering.width(style.name(emotion), panel.unit) for emotion in EMOTIONS))


def _place_panels(
    readings: Sequence[FaceReading], size: tuple[int, int], unit: float, style: Style, taken: Sequence[Box]
) -> list[tuple[_Panel, Box] | None]:
    """A place for each panel beside its face, over no other face, panel or text; None where there is no such place."""
    occupied = [*taken, *(reading.box for reading in readings)]
    places: list[tuple[_Panel, Box] | None] = []
    for reading in readings:
        panel = _panel_for(reading.box, unit, style)
        sides = [place for place in _sides(reading.box, panel, unit) if place.lies_in(*size)]
        free = intersections(sides, occupied).sum(axis=1) == 0
        if reading.scores is None or not free.any():
            places.append(None)
            continue
        place = sides[int(free.argmax())]
        occupied.append(place)
        places.append((panel, place))
    return places


def _sides(box: Box, panel: _Panel, unit: float) -> list[Box]:
    """Right, left, below and above, in the order of preference; below and above also past a label."""
    gap, label_height = round(unit / 3), round(LINE * unit)
    bottom, top = box.y + box.height + gap, box.y - panel.height - gap
    corners = (
        (box.x + box.width + gap, box.y),
        (box.x - panel.width - gap, box.y),
        (box.x, bottom),
        (box.x, bottom + label_height),
        (box.x, top - label_height),
    )
    return [Box(x, y, panel.width, panel.height) for x, y in corners]


def _draw_panel(canvas: Image, scores: EmotionScores, panel: _Panel, place: Box, style: Style) -> None:
    area = canvas[place.y : place.y + place.height, place.x : place.x + place.width]
    area[:] = cv2.convertScaleAbs(area, alpha=_PANEL_SHADE)
    left, right = place.x + panel.margin, place.x + place.width - panel.margin
    start = right - panel.bar_width
    for row, (emotion, score) in enumerate(zip(EMOTIONS, scores.values, strict=True)):
        top, bottom = (place.y + panel.margin + round((row + part) * panel.line) for part in (0.2, 0.85))
        style.lettering.write(canvas, style.name(emotion), (left, bottom), panel.unit, WHITE)
        cv2.rectangle(canvas, (start, top), (right, bottom), BLACK, cv2.FILLED)
        end = start + round(panel.bar_width * float(score))
        if end > start:
            cv2.rectangle(canvas, (start, top), (end, bottom), COLORS[emotion], cv2.FILLED)
        cv2.rectangle(canvas, (start - 1, top - 1), (right + 1, bottom + 1), _FRAME_COLOR, 1)
