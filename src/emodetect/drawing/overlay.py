"""Overlay: boxes, labels and score panels on a copy of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np

from emodetect.drawing.blending import draw_frame, draw_plate
from emodetect.drawing.history_strip import Strip
from emodetect.drawing.label_placement import LabelPlace, Placed, leader, place_labels
from emodetect.drawing.lettering import LINE, ROUNDING, Lettering, draw_tag, tag_size, unit_for
from emodetect.drawing.palette import BLACK, COLORS, UNKNOWN_COLOR, WHITE, Color, color_of
from emodetect.drawing.style import Style
from emodetect.faces.boxes import intersection_over_smaller, intersections
from emodetect.types import EMOTIONS, Box, EmotionScores, FaceReading, FrameResult, Image

__all__ = ["COLORS", "UNKNOWN_COLOR", "Layout", "Strip", "Style", "draw", "label", "mirrored", "resized"]

_STATUS_COLOR: Color = (40, 40, 40)
_FRAME_COLOR: Color = (90, 90, 90)
"""Color of the frames around a panel's bars, BGR."""

_MAX_LINES = 3
"""Maximum number of lines of a message that is wider than the image."""

_SEPARATOR = " · "
"""Separator between two texts in a line."""

_LETTERS = 0.78
"""Size of the letters in a line of small text, as a fraction of its height."""

_MIN_LABEL_SCALE = 0.7
"""Factor by which the letters of a label shrink if there is little room."""

_SHARES = 1.0, 0.85, 0.7
"""Letter sizes that are tried in a single image, relative to its text."""

_SAME_PLACE = 0.5
"""Intersection over the smaller area from which on two boxes are the same face."""

_PANEL_OPACITY = 0.75
"""Opacity of a panel's black background."""

_SAME_LINE = 1.5
"""Difference in pixels from which the line height of a panel follows the size of its face, since boxes jitter."""


@dataclass
class Layout:
    """Positions of labels and panels in the previous frame, which are kept as long as possible.

    Attributes:
        labels: position of each label with the box of its face, by track id.
        panels: side of each panel, None if it had no room, and its line height in pixels; by track id.
    """

    labels: dict[int, Placed] = field(default_factory=dict)
    panels: dict[int, tuple[int | None, int]] = field(default_factory=dict)


def draw(
    image: Image,
    readings: Sequence[FaceReading],
    *,
    status: Sequence[str] = (),
    banner: Sequence[str] = (),
    bars: bool = True,
    labels: bool = True,
    strip: Strip | None = None,
    style: Style | None = None,
    layout: Layout | None = None,
    marks: Sequence[Box] = (),
    seen: Sequence[Box] = (),
) -> Image:
    """Draw boxes, labels and score panels.

    Texts overlap neither each other nor other faces, and stay inside the image. What does not fit is dropped, panels first. In
    a single image the letters of a panel are as large as those of its label.

    Args:
        image: uint8 (height, width, 3) BGR; not changed.
        readings: the faces; for frames of a video as `emodetect.emotions.stable_labels` returns them.
        status: texts for the top left corner, in one line if there is room.
        banner: messages for the line at the bottom; the last ones are the most important.
        bars: whether each face has a panel with its seven scores.
        labels: whether each face has a label.
        strip: history along the bottom, with one row per face; labels then begin with the number of the row.
        style: language and lettering; None for English.
        layout: positions of labels and panels, carried from frame to frame; None for a single image.
        marks: boxes to keep free for other drawings.
        seen: possible face regions, as in `FrameResult`; labels and panels also avoid those without a reading.

    Returns:
        A new image of the same size.
    """
    style = style or Style()
    canvas = image.copy()
    size = canvas.shape[1], canvas.shape[0]
    unit = unit_for(size)
    taken = [strip.place(size, unit)] if strip else []
    faces = [reading.box for reading in readings]
    notices = _place_status(status, size, unit, style.lettering, marks)
    notices += _place_banner(banner, size, unit, style.lettering, faces, bottom=taken[0].y if taken else size[1])
    taken += [*marks, *(box for _, box in notices), *_others(seen, faces)]
    arrange = partial(_arrange, readings, size, unit, style, taken, bars=bars, labels=labels, numbered=strip is not None)
    scored = sum(reading.scores is not None for reading in readings)
    texts, places, panels = _single_arrangement(arrange, unit, scored if bars else 0) if layout is None else arrange(layout)
    if layout is not None:
        layout.labels = {r.track_id: (place, r.box) for r, place in zip(readings, places, strict=True) if place}
        layout.panels = {r.track_id: (p.side, p.panel.line) for r, p in zip(readings, panels, strict=True) if p}
    for reading, panel in zip(readings, panels, strict=True):
        if reading.scores is not None and panel is not None and panel.box is not None:
            _draw_panel(canvas, reading.scores, panel.panel, panel.box, style)
    for reading in readings:
        _draw_box(canvas, reading, unit)
    for reading, place in zip(readings, places, strict=True):
        if place is not None and place.slot is None:
            _draw_leader(canvas, reading, place.box, unit)
    if strip:
        strip.draw(canvas, unit, style)
    for reading, place, choice in zip(readings, places, texts, strict=True):
        if place is not None:
            corner = place.box.x, place.box.y
            text, size_of_letters = choice[place.form]
            draw_tag(canvas, style.lettering, text, corner, size_of_letters, color_of(reading.shown))
    for text, box in notices:
        draw_tag(canvas, style.lettering, text, (box.x, box.y), unit, _STATUS_COLOR)
    return np.asarray(canvas)


_Forms = list[tuple[str, float]]
"""Forms of a label: its text and the size of its letters, pixels."""

_Arrangement = tuple[list[_Forms], list[LabelPlace | None], list["_PanelPlace | None"]]
"""Forms of each face's label, the position of the label, and its panel."""


def _arrange(
    readings: Sequence[FaceReading],
    size: tuple[int, int],
    unit: float,
    style: Style,
    taken: Sequence[Box],
    before: Layout,
    *,
    bars: bool,
    labels: bool,
    numbered: bool,
    letters: float | None = None,
    numbers: bool = True,
) -> _Arrangement:
    """Place labels and panels.

    Args:
        readings: the faces.
        size: width and height of the image, pixels.
        unit: size of text in the image, pixels.
        style: language and lettering.
        taken: boxes to keep free.
        before: positions in the previous frame.
        bars: whether there are panels.
        labels: whether there are labels.
        numbered: whether labels begin with the number of the face.
        letters: letter size of labels and panels, pixels; None for labels with the size of text in the image, and panels as high
            as their faces.
        numbers: whether panels have numbers beside their bars.
    """
    texts = [_label_forms(reading, style, letters or unit, numbered=numbered) if labels else [] for reading in readings]
    forms = [[tag_size(style.lettering, *form) for form in forms] for forms in texts]
    boxes = [reading.box for reading in readings]
    places = place_labels(boxes, forms, size, taken, [before.labels.get(reading.track_id) for reading in readings])
    if not bars:
        return texts, places, [None] * len(readings)
    occupied = [*taken, *boxes, *(place.box for place in places if place)]
    panels: list[_PanelPlace | None] = [None] * len(readings)
    # Existing panels are placed first, like labels.
    for number in sorted(
        range(len(readings)), key=lambda number: before.panels.get(readings[number].track_id, (None,))[0] is None
    ):
        reading, place, choice = readings[number], places[number], texts[number]
        if reading.scores is None:
            continue
        last = before.panels.get(reading.track_id)
        own = choice[place.form][1] if place and letters else letters
        panel = _panel_for(reading.box, unit, own, style, last[1] if last else None, numbers=numbers)
        beside = (reading.box, place.box) if place else (reading.box,)
        panels[number] = placed = _place_panel(beside, panel, size, unit, occupied, last)
        if placed.box is not None:
            occupied.append(placed.box)
    return texts, places, panels


def _single_arrangement(arrange: Callable[..., _Arrangement], unit: float, scored: int) -> _Arrangement:
    """Place labels and panels in a single image, with the largest letters that leave room for all panels, or else for most.

    Panels have numbers unless more panels fit without them.

    Args:
        arrange: places them with a given letter size.
        unit: size of text in the image, pixels.
        scored: number of faces with scores.
    """
    best: _Arrangement | None = None
    for numbers, share in product((True, False), _SHARES):
        found = arrange(Layout(), letters=share * unit, numbers=numbers)
        if best is None or _count(found) > _count(best):
            best = found
        if _count(best) == scored:
            break
    assert best is not None
    return best


def _count(arrangement: _Arrangement) -> int:
    return sum(panel is not None and panel.box is not None for panel in arrangement[2])


def mirrored(result: FrameResult, width: int) -> FrameResult:
    """Mirror a result, as for the mirrored image.

    Args:
        result: result of the image.
        width: width of the image, pixels.
    """
    angles = [None if reading.angle is None else -reading.angle for reading in result.readings]
    flipped = _with_boxes(result, lambda box: replace(box, x=width - box.x - box.width))
    readings = (replace(reading, angle=angle) for reading, angle in zip(flipped.readings, angles, strict=True))
    return replace(flipped, readings=tuple(readings))


def resized(result: FrameResult, scale: float) -> FrameResult:
    """Scale a result by this factor, as for the scaled image."""
    return _with_boxes(result, lambda box: Box(*(round(scale * side) for side in box.as_dict().values())))


def _with_boxes(result: FrameResult, change: Callable[[Box], Box]) -> FrameResult:
    readings = tuple(replace(reading, box=change(reading.box)) for reading in result.readings)
    return replace(result, readings=readings, seen=tuple(map(change, result.seen)))


def label(reading: FaceReading, style: Style | None = None) -> str:
    """Label of a face: its emotion and confidence, or that it is uncertain."""
    if reading.scores is None:
        return "..."
    name = (style or Style()).name(reading.shown)
    # A label held by hysteresis while another emotion leads has no confidence.
    return f"{name} {reading.scores.confidence:.0%}" if reading.shown is reading.scores.dominant else name


def _label_forms(reading: FaceReading, style: Style, unit: float, *, numbered: bool) -> _Forms:
    """Forms of a label with their letter sizes: full, then without the confidence, then with smaller letters."""
    number = f"{reading.track_id}: " if numbered else ""
    forms = [(number + label(reading, style), unit)]
    if reading.shown is not None:
        forms.append((number + style.name(reading.shown), unit))
    smallest = max(_MIN_LABEL_SCALE * unit, _LETTERS * style.smallest_line)
    if smallest < unit:
        forms.append((forms[-1][0], smallest))
    return forms


def _place_status(
    status: Sequence[str], size: tuple[int, int], unit: float, lettering: Lettering, marks: Sequence[Box]
) -> list[tuple[str, Box]]:
    """Texts and boxes of the status, in as few lines as fit beside the marks in the other corner."""
    edge = _edge(unit)
    room = min([size[0], *(box.x for box in marks)]) - 2 * edge - tag_size(lettering, "", unit)[0]
    lines: list[str] = []
    for text in status:
        joined = _SEPARATOR.join([*lines[-1:], text])
        fits = lettering.width(joined, unit) <= room
        lines[-1:] = [joined] if fits else [*lines[-1:], lettering.shortened(text, unit, room)]
    places = []
    for number, text in enumerate(lines):
        width, height = tag_size(lettering, text, unit)
        places.append((text, Box(edge, edge + number * (height + edge), width, height)))
    return [(text, box) for text, box in places if text and box.lies_in(*size)]


def _place_banner(
    banner: Sequence[str], size: tuple[int, int], unit: float, lettering: Lettering, faces: Sequence[Box], *, bottom: int
) -> list[tuple[str, Box]]:
    """Texts and boxes of the messages: one line at the bottom, with the last messages that fit.

    Only a message that is wider than the image is wrapped. The line is in the middle, or in a corner if it covers less of the
    faces there.
    """
    if not banner:
        return []
    edge = _edge(unit)
    room = size[0] - 2 * edge - tag_size(lettering, "", unit)[0]
    joined = (_SEPARATOR.join(banner[first:]) for first in range(len(banner)))
    whole = next((text for text in joined if lettering.width(text, unit) <= room), None)
    lines = [whole] if whole is not None else lettering.wrapped(banner[-1], unit, room, _MAX_LINES)
    sizes = [tag_size(lettering, text, unit) for text in lines]
    top = bottom - edge - sum(height for _, height in sizes)
    width = max(width for width, _ in sizes)
    starts = (size[0] - width) // 2, edge, size[0] - edge - width
    covered = intersections([Box(start, top, width, bottom - top) for start in starts], faces).sum(axis=1)
    middle = starts[int(np.argmin(covered))] + width // 2
    places = []
    for text, (width, height) in zip(lines, sizes, strict=True):
        places.append((text, Box(middle - width // 2, top, width, height)))
        top += height
    return [(text, box) for text, box in places if text and box.lies_in(size[0], bottom)]


def _edge(unit: float) -> int:
    """Distance of status and messages from the edges of the image, pixels."""
    return round(0.3 * unit)


def _draw_box(canvas: Image, reading: FaceReading, unit: float) -> None:
    # Dark lines on both sides make the box visible on white, and the colored line makes it visible in the dark.
    draw_frame(canvas, reading.box, max(2, round(unit / 9)), color_of(reading.shown), max(1, round(unit / 26)))


def _draw_leader(canvas: Image, reading: FaceReading, label_box: Box, unit: float) -> None:
    """Draw a leader line from a face to a label that is not beside it."""
    ends = leader(label_box, reading.box)
    thickness = max(1, round(unit / 12))
    cv2.line(canvas, *ends, BLACK, thickness + 2, cv2.LINE_AA)
    cv2.line(canvas, *ends, color_of(reading.shown), thickness, cv2.LINE_AA)


@dataclass(frozen=True)
class _Panel:
    """Score panel of one face: seven names, bars and numbers; sizes in pixels, 0 for no numbers."""

    line: int
    text_width: int
    bar_width: int
    number_width: int

    @property
    def width(self) -> int:
        return self.text_width + self.bar_width + self.number_width + (4 if self.number_width else 3) * self.margin

    @property
    def height(self) -> int:
        return self.line * len(EMOTIONS) + 2 * self.margin

    @property
    def margin(self) -> int:
        return max(2, self.line // 3)

    @property
    def unit(self) -> float:
        """Size of its text."""
        return _LETTERS * self.line


class _PanelPlace(NamedTuple):
    """Placement of a panel: its box and side; None for both if there is no room."""

    panel: _Panel
    box: Box | None
    side: int | None


def _others(seen: Sequence[Box], faces: Sequence[Box]) -> list[Box]:
    """Regions that belong to none of these faces."""
    overlaps = intersection_over_smaller(seen, faces)
    return [box for box, row in zip(seen, overlaps, strict=True) if not (row > _SAME_PLACE).any()]


def _panel_for(box: Box, unit: float, letters: float | None, style: Style, last_line: int | None, *, numbers: bool) -> _Panel:
    """Create the panel of a face.

    Args:
        box: box of the face.
        unit: size of text in the image, pixels.
        letters: letter size of the panel, pixels; None for a panel as high as the face, with readable lines that are no larger
            than other text.
        style: language and lettering.
        last_line: line height in the previous frame, pixels; None if there was none.
        numbers: whether it has numbers beside the bars.
    """
    min_height = style.smallest_line
    as_face = min(max(box.height / (len(EMOTIONS) + 1), min_height), max(unit, min_height))
    wanted = as_face if letters is None else max(letters / _LETTERS, min_height)
    line = last_line if last_line is not None and abs(wanted - last_line) < _SAME_LINE else round(wanted)
    panel = _Panel(line, 0, round(2.5 * line), style.lettering.width("100", _LETTERS * line) if numbers else 0)
    return replace(panel, text_width=max(style.lettering.width(style.name(emotion), panel.unit) for emotion in EMOTIONS))


def _place_panel(
    own: Sequence[Box],
    panel: _Panel,
    size: tuple[int, int],
    unit: float,
    occupied: Sequence[Box],
    last: tuple[int | None, int] | None,
) -> _PanelPlace:
    """Place the panel at its previous side, or at the first free one.

    A panel that had no room in the previous frame needs some space around it, so that it does not flicker.

    Args:
        own: box of the face, and that of its label if it has one.
        panel: the panel.
        size: width and height of the image, pixels.
        unit: size of text in it, pixels.
        occupied: boxes to keep free, including its own.
        last: side and line height in the previous frame; None if there was no such face.
    """
    boxes = _sides(own[0], panel, unit)
    is_free = np.asarray([box.lies_in(*size) for box in boxes]) & (intersections(boxes, occupied).sum(axis=1) == 0)
    if last is not None and last[0] is None:
        space = panel.line // 2
        wider = [Box(box.x - space, box.y - space, box.width + 2 * space, box.height + 2 * space) for box in boxes]
        is_free &= intersections(wider, [box for box in occupied if box not in own]).sum(axis=1) == 0
    free = np.flatnonzero(is_free)
    if not free.size:
        return _PanelPlace(panel, None, None)
    side = int(free[0])
    if last is not None and last[0] is not None and last[0] in free:
        side = last[0]
    return _PanelPlace(panel, boxes[side], side)


def _sides(box: Box, panel: _Panel, unit: float) -> list[Box]:
    """Boxes to the right, left, below and above, in order of preference; below and above also beyond a label."""
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
    draw_plate(canvas, place, ROUNDING * panel.unit, BLACK, opacity=_PANEL_OPACITY)
    left, right = place.x + panel.margin, place.x + place.width - panel.margin
    start = left + panel.text_width + panel.margin
    for row, (emotion, score) in enumerate(zip(EMOTIONS, scores.values, strict=True)):
        top, bottom = (place.y + panel.margin + round((row + part) * panel.line) for part in (0.2, 0.85))
        style.lettering.write(canvas, style.name(emotion), (left, bottom), panel.unit, WHITE)
        cv2.rectangle(canvas, (start - 1, top - 1), (start + panel.bar_width + 1, bottom + 1), _FRAME_COLOR, cv2.FILLED)
        cv2.rectangle(canvas, (start, top), (start + panel.bar_width, bottom), BLACK, cv2.FILLED)
        end = start + round(panel.bar_width * float(score))
        if end > start:
            cv2.rectangle(canvas, (start, top), (end, bottom), COLORS[emotion], cv2.FILLED)
        if not panel.number_width:
            continue
        number = f"{100 * score:.0f}"
        style.lettering.write(canvas, number, (right - style.lettering.width(number, panel.unit), bottom), panel.unit, WHITE)
